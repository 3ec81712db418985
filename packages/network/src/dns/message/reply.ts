import { HEADER_BYTES, HeaderFlag } from './codes.js';
import { readName } from './name.js';
import type { Question } from './question.js';

/** What has to be known of a server's answer to hand it on. */
export interface Reply {
  id: number;
  code: number;
  /** What it answers; absent where a server leaves it out, as some do with an error. */
  asked?: { name: string; type: number; class: number };
}

/** Undefined when it is no answer, or none that can be read. */
export function parseReply(message: Buffer): Reply | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const flags = message.readUInt16BE(2);
  if ((flags & HeaderFlag.RESPONSE) === 0) return undefined;
  const reply = { id: message.readUInt16BE(0), code: flags & HeaderFlag.CODE };
  const questions = message.readUInt16BE(4);
  if (questions === 0) return reply;
  const name = questions === 1 ? readName(message, HEADER_BYTES) : undefined;
  if (!name || name.end + 4 > message.length) return undefined;
  const type = message.readUInt16BE(name.end);
  return { ...reply, asked: { name: name.text, type, class: message.readUInt16BE(name.end + 2) } };
}

/** Whether a server may have meant this question: only an error may leave it out. */
export function answers({ asked, code }: Reply, question: Question): boolean {
  if (!asked) return code !== 0;
  const { name, type } = question;
  return asked.name === name && asked.type === type && asked.class === question.class;
}
