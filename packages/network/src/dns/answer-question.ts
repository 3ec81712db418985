import { type Random, randomBelow } from '@skep/platform';
import { TCP_MESSAGE_BYTES_MAX, UDP_ANSWER_BYTES_MAX } from './limits.js';
import { type AnswerRecord, encodeAnswer, encodeFormatError } from './message/answer.js';
import { RecordClass, RecordType, ResponseCode } from './message/codes.js';
import { parseQuestion, type Question } from './message/question.js';
import type { Asker } from './names/asker.js';
import type { NameIndex } from './names/name-index.js';
import { type Resolution, resolve } from './names/resolve.js';
import type { NameProtocol } from './sockets/contract.js';

/** What becomes of a client's message. */
export type Outcome =
  | { kind: 'answer'; answer: Buffer }
  /** Servers outside are to be asked. */
  | { kind: 'forward'; question: Question }
  | { kind: 'ignore' };

export interface AnswerOptions {
  message: Buffer;
  protocol: NameProtocol;
  asker: Asker;
  index: NameIndex;
  random: Random;
}

const NO_RECORDS: readonly AnswerRecord[] = [];

const CODES: Record<Exclude<Resolution['kind'], 'records' | 'outside'>, number> = {
  empty: ResponseCode.SUCCESS,
  'no-such-name': ResponseCode.NO_SUCH_NAME,
  // The one code that makes a client ask again.
  'not-known-yet': ResponseCode.SERVER_FAILURE,
};

/** Answers a message from what stands in the networks, whatever bytes it has. */
export function answerQuestion(options: AnswerOptions): Outcome {
  const { message, asker, index, protocol, random } = options;
  const question = parseQuestion(message);
  if (question === 'ignored') return { kind: 'ignore' };
  if (question === 'malformed') return { kind: 'answer', answer: encodeFormatError(message) };
  const answer = (code: number, records: readonly AnswerRecord[]): Outcome => {
    const bytesMax = answerBytesMax(question, protocol);
    return { kind: 'answer', answer: encodeAnswer(message, question, { code, records, bytesMax }) };
  };
  const refusal = refusalOf(question);
  if (refusal !== undefined) return answer(refusal, NO_RECORDS);
  const resolution = resolve(question, asker, index);
  if (resolution.kind === 'outside') return { kind: 'forward', question };
  if (resolution.kind !== 'records') return answer(CODES[resolution.kind], NO_RECORDS);
  return answer(ResponseCode.SUCCESS, shuffled(resolution.records, random));
}

/** That nobody answered, or nobody may be asked. */
export function failureAnswer(message: Buffer, question: Question): Buffer {
  const code = ResponseCode.SERVER_FAILURE;
  const bytesMax = UDP_ANSWER_BYTES_MAX;
  return encodeAnswer(message, question, { code, records: NO_RECORDS, bytesMax });
}

/** Bytes of the longest answer that the client takes. */
export function answerBytesMax({ udpBytes }: Question, protocol: NameProtocol): number {
  return protocol === 'tcp' ? TCP_MESSAGE_BYTES_MAX : Math.min(udpBytes, UDP_ANSWER_BYTES_MAX);
}

/** The code for what is not answered, whatever the name. */
function refusalOf(question: Question): number | undefined {
  const { opcode, type, ednsVersion = 0 } = question;
  if (opcode !== 0) return ResponseCode.NOT_IMPLEMENTED;
  if (ednsVersion > 0) return ResponseCode.BAD_VERSION;
  const known = question.class === RecordClass.INTERNET || question.class === RecordClass.ANY;
  const transfer = type === RecordType.AXFR || type === RecordType.IXFR;
  return known && !transfer ? undefined : ResponseCode.REFUSED;
}

/** Clients take the first address: each is to come first equally often. */
function shuffled(records: AnswerRecord[], random: Random): AnswerRecord[] {
  for (let end = records.length - 1; end > 0; end--) {
    const other = randomBelow(random, end + 1);
    const [one, two] = [records[end], records[other]];
    if (one && two) [records[end], records[other]] = [two, one];
  }
  return records;
}
