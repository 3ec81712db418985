import { invariant } from '@skep/platform';
import { type FileCipher, SEAL_BYTES } from '../keys/cipher.js';
import { crc32c } from './crc32c.js';

/** What a record holds. The numbers are on disk: never change or reuse one. */
export enum RecordType {
  /** Who this node is: the bytes of a RaftMember. */
  METADATA = 1,
  /** A raftpb Entry. */
  ENTRY = 2,
  /** A raftpb HardState. */
  HARD_STATE = 3,
  /** A raftpb SnapshotMetadata: the log goes on after this index and term. */
  START = 4,
}

export interface LogRecord {
  type: RecordType;
  payload: Uint8Array;
}

/** A record found in a segment. */
export interface FoundRecord extends LogRecord {
  /** Number of the batch it was written in. */
  batch: bigint;
  /** Whether the batch ends with it. */
  isLast: boolean;
  /** Offset of its first byte in the segment. */
  offset: number;
  /** Offset after its last byte, padding included. */
  end: number;
}

/** Where a record's bytes belong: a valid record elsewhere is not that record. */
export interface SegmentIdentity {
  sequence: bigint;
  /** Fingerprint of the data key it is written under. */
  keyId: Uint8Array;
  cipher: FileCipher;
}

/*
 * Header, little-endian: magic u32, body length u32, CRC-32C u32 of the rest of header and body,
 * type u8, flags u8, zero u16, batch u64. Then the body, sealed, and zeros up to a multiple of 8.
 */
const HEADER_BYTES = 24;
const MAGIC = 0x31524b53;
const LENGTH_AT = 4;
const CRC_AT = 8;
const TYPE_AT = 12;
const FLAGS_AT = 13;
const BATCH_AT = 16;
const ALIGNMENT_BYTES = 8;
const FLAG_LAST = 1;

/** Bytes that a record with a payload of this length takes in a segment. */
export function recordBytes(payloadLength: number): number {
  return align(HEADER_BYTES + SEAL_BYTES + payloadLength);
}

function align(length: number): number {
  return Math.ceil(length / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

/** The bytes of one batch that is to stand at `offset` of a segment. */
export function encodeBatch(
  segment: SegmentIdentity,
  offset: number,
  batch: bigint,
  records: readonly LogRecord[],
): Uint8Array {
  invariant(records.length > 0, 'an empty batch');
  const length = records.reduce((sum, record) => sum + recordBytes(record.payload.length), 0);
  const bytes = Buffer.alloc(length);
  let at = 0;
  records.forEach((record, number) => {
    const bodyLength = SEAL_BYTES + record.payload.length;
    bytes.writeUInt32LE(MAGIC, at);
    bytes.writeUInt32LE(bodyLength, at + LENGTH_AT);
    bytes.writeUInt8(record.type, at + TYPE_AT);
    bytes.writeUInt8(number === records.length - 1 ? FLAG_LAST : 0, at + FLAGS_AT);
    bytes.writeBigUInt64LE(batch, at + BATCH_AT);
    const header = bytes.subarray(at, at + HEADER_BYTES);
    const context = contextOf(segment, offset + at, header);
    bytes.set(segment.cipher.seal(record.payload, context), at + HEADER_BYTES);
    const whole = bytes.subarray(at, at + HEADER_BYTES + bodyLength);
    bytes.writeUInt32LE(checksum(whole), at + CRC_AT);
    at += recordBytes(record.payload.length);
  });
  return bytes;
}

/**
 * The batch number of the intact record at `offset`, without opening it; undefined if there is
 * none.
 */
export function batchAt(segment: Buffer, offset: number): bigint | undefined {
  return framedAt(segment, offset)?.readBigUInt64LE(BATCH_AT);
}

/**
 * The record at `at` of `bytes`: undefined when there is none (zeros, or a checksum that does not
 * fit), 'sealed' when its checksum fits and its key or place does not.
 *
 * @param offset where in its segment the record lies, when `bytes` are not the whole segment
 */
export function readRecord(
  identity: SegmentIdentity,
  bytes: Buffer,
  at: number,
  offset = at,
): FoundRecord | 'sealed' | undefined {
  const framed = framedAt(bytes, at);
  if (!framed) return undefined;
  const context = contextOf(identity, offset, framed.subarray(0, HEADER_BYTES));
  const payload = identity.cipher.open(framed.subarray(HEADER_BYTES), context);
  if (!payload) return 'sealed';
  return {
    type: framed.readUInt8(TYPE_AT),
    payload,
    batch: framed.readBigUInt64LE(BATCH_AT),
    isLast: (framed.readUInt8(FLAGS_AT) & FLAG_LAST) !== 0,
    offset,
    end: offset + align(framed.length),
  };
}

/** Offset of the first intact record at or after `offset` whose batch is later than `batch`. */
export function findLaterBatch(segment: Buffer, offset: number, batch: bigint): number | undefined {
  for (let at = align(offset); at + HEADER_BYTES <= segment.length; at += ALIGNMENT_BYTES) {
    const found = batchAt(segment, at);
    if (found !== undefined && found > batch) return at;
  }
  return undefined;
}

function framedAt(segment: Buffer, offset: number): Buffer | undefined {
  if (offset + HEADER_BYTES > segment.length || segment.readUInt32LE(offset) !== MAGIC) {
    return undefined;
  }
  const end = offset + HEADER_BYTES + segment.readUInt32LE(offset + LENGTH_AT);
  if (end > segment.length) return undefined;
  const framed = segment.subarray(offset, end);
  return checksum(framed) === framed.readUInt32LE(CRC_AT) ? framed : undefined;
}

function checksum(framed: Uint8Array): number {
  const start = crc32c(framed.subarray(0, CRC_AT));
  return crc32c(framed.subarray(CRC_AT + 4), start);
}

/** What is authenticated with a record's body: its own header, and its place. */
function contextOf(segment: SegmentIdentity, offset: number, header: Buffer): Uint8Array {
  const context = Buffer.alloc(HEADER_BYTES - TYPE_AT + 16);
  header.copy(context, 0, TYPE_AT);
  context.writeBigUInt64LE(segment.sequence, HEADER_BYTES - TYPE_AT);
  context.writeBigUInt64LE(BigInt(offset), HEADER_BYTES - TYPE_AT + 8);
  return context;
}
