import { UDP_ANSWER_BYTES_DEFAULT } from '../limits.js';
import { HEADER_BYTES, HeaderFlag, RecordType } from './codes.js';
import { readName, skipName } from './name.js';

/** What a client wants to know. */
export interface Question {
  id: number;
  opcode: number;
  recursionDesired: boolean;
  /** In lower case, without the dot at its end; empty for the root. */
  name: string;
  type: number;
  class: number;
  /** Length of header and question, with which the message begins. */
  headBytes: number;
  /** What the client takes by UDP, at least 512. */
  udpBytes: number;
  /** Absent when the client does not speak EDNS. */
  ednsVersion?: number;
}

/**
 * Reads a message to a name server. `ignored`: nothing that could be answered. `malformed`: a
 * question, but not one that can be read.
 */
export function parseQuestion(message: Buffer): Question | 'ignored' | 'malformed' {
  if (message.length < HEADER_BYTES) return 'ignored';
  const flags = message.readUInt16BE(2);
  if (flags & HeaderFlag.RESPONSE) return 'ignored';
  const name = message.readUInt16BE(4) === 1 ? readName(message, HEADER_BYTES) : undefined;
  if (!name || name.end + 4 > message.length) return 'malformed';
  const headBytes = name.end + 4;
  const edns = readEdns(message, headBytes);
  if (edns === 'malformed') return edns;
  return {
    id: message.readUInt16BE(0),
    opcode: (flags & HeaderFlag.OPCODE) >> 11,
    recursionDesired: (flags & HeaderFlag.RECURSION_DESIRED) !== 0,
    name: name.text,
    type: message.readUInt16BE(name.end),
    class: message.readUInt16BE(name.end + 2),
    headBytes,
    ...(edns ?? { udpBytes: UDP_ANSWER_BYTES_DEFAULT }),
  };
}

/** Looks for the client's EDNS record behind the question (RFC 6891, 6.1). */
function readEdns(
  message: Buffer,
  start: number,
): { udpBytes: number; ednsVersion: number } | 'malformed' | undefined {
  const records = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  let at = start;
  for (let record = 0; record < records; record++) {
    const fixed = skipName(message, at);
    if (fixed === undefined || fixed + 10 > message.length) return 'malformed';
    const end = fixed + 10 + message.readUInt16BE(fixed + 8);
    if (end > message.length) return 'malformed';
    if (message.readUInt16BE(fixed) === RecordType.OPT) {
      const udpBytes = Math.max(message.readUInt16BE(fixed + 2), UDP_ANSWER_BYTES_DEFAULT);
      return { udpBytes, ednsVersion: message.readUInt8(fixed + 5) };
    }
    at = end;
  }
  return undefined;
}
