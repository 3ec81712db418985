import { crc32 } from 'node:zlib';
import { invariant } from '@skep/platform';
import { GossipFormatError } from '../errors.js';
import { MESSAGES_PER_PACKET_MAX, NESTING_MAX, UNPACKED_BYTES_MAX } from '../limits.js';
import { unpackLzw } from './lzw.js';
import { decodeMessage, type Message, MessageType } from './messages.js';
import { StructReader } from './msgpack.js';

/** A compound message: its head, and what each message in it adds. */
export const COMPOUND_HEAD_BYTES = 2;
export const COMPOUND_ENTRY_BYTES = 2;
export const COMPOUND_MESSAGES_MAX = 255;
export const CHECKSUM_BYTES = 5;

const LZW = 0;

/** One encoded message as it is, or several as one. */
export function compound(messages: readonly Uint8Array[]): Uint8Array {
  const [only] = messages;
  if (only && messages.length === 1) return only;
  invariant(messages.length <= COMPOUND_MESSAGES_MAX, 'too many messages for one packet');
  const lengths = Buffer.alloc(COMPOUND_ENTRY_BYTES * messages.length);
  messages.forEach(({ length }, at) => {
    lengths.writeUInt16BE(length, COMPOUND_ENTRY_BYTES * at);
  });
  return Buffer.concat([Buffer.of(MessageType.COMPOUND, messages.length), lengths, ...messages]);
}

/** With its checksum before it, as peers that speak version 5 want what is gossip. */
export function withChecksum(plain: Uint8Array): Buffer {
  const head = Buffer.alloc(CHECKSUM_BYTES);
  head.writeUInt32BE(crc32(plain), head.writeUInt8(MessageType.HAS_CRC));
  return Buffer.concat([head, plain]);
}

export interface PacketContents {
  messages: Message[];
  /** Messages in it that were none, and were left out. */
  malformed: number;
}

/** What is in an opened packet. Whatever is wrong in it is left out and counted, never thrown. */
export function readPacket(plain: Uint8Array): PacketContents {
  const contents: PacketContents = { messages: [], malformed: 0 };
  collect(plain, 0, contents);
  return contents;
}

function collect(bytes: Uint8Array, depth: number, contents: PacketContents): void {
  try {
    if (depth > NESTING_MAX) throw new GossipFormatError('wrapped too often');
    if (contents.messages.length >= MESSAGES_PER_PACKET_MAX) {
      throw new GossipFormatError('too many messages');
    }
    const body = bytes.subarray(1);
    switch (bytes[0]) {
      case MessageType.HAS_CRC:
        collect(checked(bytes), depth + 1, contents);
        break;
      case MessageType.COMPRESS:
        collect(unpack(body), depth + 1, contents);
        break;
      case MessageType.COMPOUND:
        for (const part of partsOf(body)) collect(part, depth + 1, contents);
        return;
      default:
        contents.messages.push(decodeMessage(bytes));
    }
  } catch (error) {
    if (!(error instanceof GossipFormatError)) throw error;
    contents.malformed++;
  }
}

function checked(bytes: Uint8Array): Uint8Array {
  if (bytes.length < CHECKSUM_BYTES) throw new GossipFormatError('a checksum cut short');
  const rest = bytes.subarray(CHECKSUM_BYTES);
  const expected = Buffer.from(bytes.subarray(1, CHECKSUM_BYTES)).readUInt32BE();
  if (crc32(rest) !== expected) throw new GossipFormatError('a wrong checksum');
  return rest;
}

/** The contents of a compressed message. Throws {@link GossipFormatError}. */
export function unpack(body: Uint8Array): Buffer {
  const struct = new StructReader(body).next();
  const algorithm = struct.uint('Algo', 255);
  if (algorithm !== LZW) throw new GossipFormatError(`packed with the unknown method ${algorithm}`);
  return unpackLzw(struct.bytes('Buf', body.length), UNPACKED_BYTES_MAX);
}

/** What is cut short at the end is left out, as memberlist does. */
function partsOf(body: Uint8Array): Uint8Array[] {
  const count = body[0] ?? 0;
  const lengths = Buffer.from(body.subarray(1, 1 + COMPOUND_ENTRY_BYTES * count));
  if (lengths.length < COMPOUND_ENTRY_BYTES * count) {
    throw new GossipFormatError('several messages, cut short');
  }
  const parts: Uint8Array[] = [];
  let at = 1 + lengths.length;
  for (let index = 0; index < count; index++) {
    const length = lengths.readUInt16BE(COMPOUND_ENTRY_BYTES * index);
    if (at + length > body.length) break;
    parts.push(body.subarray(at, at + length));
    at += length;
  }
  return parts;
}
