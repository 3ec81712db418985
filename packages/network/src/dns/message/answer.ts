import { ANSWER_TTL_SECONDS, UDP_ANSWER_BYTES_MAX } from '../limits.js';
import { HEADER_BYTES, HeaderFlag, RecordClass, RecordType, ResponseCode } from './codes.js';
import type { Question } from './question.js';

/** One record of an answer; its name is the question's. */
export interface AnswerRecord {
  type: number;
  /** As messages carry it. */
  data: Uint8Array;
}

export interface AnswerContent {
  code: number;
  records: readonly AnswerRecord[];
  /** What does not fit is left out, and the answer marked as truncated. */
  bytesMax: number;
}

/** Type, class, time to live and length, after a pointer to the question's name. */
const RECORD_HEAD_BYTES = 12;
const OPT_BYTES = 11;
/** Points to the name in the question, which comes right after the header. */
const QUESTION_POINTER = 0xc000 | HEADER_BYTES;

/** The answer to `question`, which `message` began with. */
export function encodeAnswer(message: Buffer, question: Question, content: AnswerContent): Buffer {
  const { headBytes } = question;
  const optBytes = question.ednsVersion === undefined ? 0 : OPT_BYTES;
  let length = headBytes + optBytes;
  let count = 0;
  for (const { data } of content.records) {
    if (length + RECORD_HEAD_BYTES + data.length > content.bytesMax) break;
    length += RECORD_HEAD_BYTES + data.length;
    count++;
  }
  const answer = Buffer.allocUnsafe(length);
  answer.set(message.subarray(0, headBytes));
  const cut = count < content.records.length ? HeaderFlag.TRUNCATED : 0;
  writeHeader(answer, question, (content.code & HeaderFlag.CODE) | cut);
  answer.writeUInt16BE(count, 6);
  answer.writeUInt16BE(optBytes === 0 ? 0 : 1, 10);
  let at = headBytes;
  for (let place = 0; place < count; place++) at = writeRecord(answer, at, content.records[place]);
  if (optBytes > 0) writeOpt(answer, at, content.code);
  return answer;
}

/** Says that the answer is too long, and is to be asked for by TCP. */
export function encodeTruncated(message: Buffer, question: Question): Buffer {
  const answer = Buffer.alloc(question.headBytes);
  message.copy(answer, 0, 0, question.headBytes);
  writeHeader(answer, question, ResponseCode.SUCCESS | HeaderFlag.TRUNCATED);
  answer.fill(0, 6, HEADER_BYTES);
  return answer;
}

/** To a message whose question could not be read: the header alone. */
export function encodeFormatError(message: Buffer): Buffer {
  const answer = Buffer.alloc(HEADER_BYTES);
  message.copy(answer, 0, 0, 4);
  const kept = message.readUInt16BE(2) & (HeaderFlag.OPCODE | HeaderFlag.RECURSION_DESIRED);
  answer.writeUInt16BE(kept | HeaderFlag.RESPONSE | ResponseCode.FORMAT_ERROR, 2);
  return answer;
}

/** `bits`: the lower part of the response code, and whether the answer is truncated. */
function writeHeader(answer: Buffer, question: Question, bits: number): void {
  const desired = question.recursionDesired ? HeaderFlag.RECURSION_DESIRED : 0;
  const flags = HeaderFlag.RESPONSE | HeaderFlag.RECURSION_AVAILABLE | desired;
  answer.writeUInt16BE(flags | (question.opcode << 11) | bits, 2);
  answer.writeUInt16BE(1, 4);
  answer.writeUInt16BE(0, 8);
}

function writeRecord(answer: Buffer, start: number, record: AnswerRecord | undefined): number {
  if (!record) return start;
  const { type, data } = record;
  let at = answer.writeUInt16BE(QUESTION_POINTER, start);
  at = answer.writeUInt16BE(type, at);
  at = answer.writeUInt16BE(RecordClass.INTERNET, at);
  at = answer.writeUInt32BE(ANSWER_TTL_SECONDS, at);
  at = answer.writeUInt16BE(data.length, at);
  answer.set(data, at);
  return at + data.length;
}

/** What this end of EDNS can: version 0, and the upper bits of the response code. */
function writeOpt(answer: Buffer, start: number, code: number): void {
  let at = answer.writeUInt8(0, start);
  at = answer.writeUInt16BE(RecordType.OPT, at);
  at = answer.writeUInt16BE(UDP_ANSWER_BYTES_MAX, at);
  at = answer.writeUInt8(code >> 4, at);
  at = answer.writeUInt8(0, at);
  at = answer.writeUInt16BE(0, at);
  answer.writeUInt16BE(0, at);
}
