import { join } from 'node:path';
import type { DiskFile, Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import { KEY_ID_BYTES, SALT_BYTES } from '../keys/cipher.js';
import type { KeyRing } from '../keys/ring.js';
import { crc32c } from './crc32c.js';
import type { SegmentIdentity } from './record.js';

/** Bytes before the first record: the header in one sector, the sync mark in another. */
export const SEGMENT_HEADER_BYTES = 4096;

/*
 * Header, little-endian: magic 8 bytes, version u32, CRC-32C u32 of the fields after it, sequence
 * u64, id of the data key, salt of the segment's key.
 */
const MAGIC = Buffer.from('SKEPLOG\n');
const FORMAT_VERSION = 1;
const VERSION_AT = 8;
const CRC_AT = 12;
const SEQUENCE_AT = 16;
const KEY_ID_AT = 24;
const SALT_AT = KEY_ID_AT + KEY_ID_BYTES;
const FIELDS_END = SALT_AT + SALT_BYTES;

/** The sync mark: batch u64, CRC-32C u32 of it. */
const MARK_AT = 512;
const MARK_BYTES = 12;

/** A file of the log. */
export interface Segment extends SegmentIdentity {
  path: string;
  /** Bytes reserved for it, header included. */
  size: number;
  /** No entry in an earlier segment that still counts has this index or a larger one. */
  firstIndex: bigint;
  /** Number of the first batch in it. */
  firstBatch: bigint;
}

/** The segment that is written to. */
export interface OpenSegment extends Segment {
  file: DiskFile;
  /** Where the next batch goes. */
  position: number;
}

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

/**
 * Path of a segment in use: its name carries sequence and first index, so names sort as the log
 * runs.
 */
export function segmentPath(directory: string, sequence: bigint, firstIndex: bigint): string {
  return join(directory, `${hex16(sequence)}-${hex16(firstIndex)}.log`);
}

/** Path of a segment reserved ahead of its use. */
export function sparePath(directory: string, sequence: bigint): string {
  return join(directory, `${hex16(sequence)}.spare`);
}

/** What a segment's name says; undefined when it is not the name of a segment in use. */
export function parseSegmentName(
  name: string,
): { sequence: bigint; firstIndex: bigint } | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.log$/.exec(name);
  if (!match) return undefined;
  return { sequence: BigInt(`0x${match[1]}`), firstIndex: BigInt(`0x${match[2]}`) };
}

/** A new segment's header, and the identity it gives. */
export function newSegmentHeader(
  sequence: bigint,
  keys: KeyRing,
  random: Random,
): { bytes: Uint8Array; identity: SegmentIdentity } {
  const key = keys.current;
  const salt = random.bytes(SALT_BYTES);
  const bytes = Buffer.alloc(FIELDS_END);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(FORMAT_VERSION, VERSION_AT);
  bytes.writeBigUInt64LE(sequence, SEQUENCE_AT);
  bytes.set(key.id, KEY_ID_AT);
  bytes.set(salt, SALT_AT);
  bytes.writeUInt32LE(crc32c(bytes.subarray(SEQUENCE_AT)), CRC_AT);
  return { bytes, identity: { sequence, keyId: key.id, cipher: key.forFile(salt, random) } };
}

/** Reads a segment's header. Throws {@link LogCorruptError} where it is not that of `sequence`. */
export function parseSegmentHeader(
  path: string,
  bytes: Buffer,
  sequence: bigint,
  keys: KeyRing,
  random: Random,
): SegmentIdentity {
  const refuse = (why: string) => new LogCorruptError(path, why);
  const isHeader = bytes.length >= SEGMENT_HEADER_BYTES && MAGIC.equals(bytes.subarray(0, 8));
  if (!isHeader) throw refuse('not a segment of the log');
  const version = bytes.readUInt32LE(VERSION_AT);
  if (version !== FORMAT_VERSION) throw refuse(`format ${version} is not known`);
  const fields = bytes.subarray(SEQUENCE_AT, FIELDS_END);
  if (crc32c(fields) !== bytes.readUInt32LE(CRC_AT)) throw refuse('damaged header');
  if (bytes.readBigUInt64LE(SEQUENCE_AT) !== sequence) throw refuse('header of another segment');
  const keyId = Uint8Array.from(bytes.subarray(KEY_ID_AT, SALT_AT));
  const key = keys.find(keyId);
  if (!key) throw refuse('encrypted under another key');
  const salt = bytes.subarray(SALT_AT, FIELDS_END);
  return { sequence, keyId, cipher: key.forFile(salt, random) };
}

/** Notes that all batches up to this one are synced. A mark that is lost or torn is only missed. */
export async function writeSyncMark(file: DiskFile, batch: bigint): Promise<void> {
  const mark = Buffer.alloc(MARK_BYTES);
  mark.writeBigUInt64LE(batch);
  mark.writeUInt32LE(crc32c(mark.subarray(0, 8)), 8);
  await file.write(MARK_AT, mark);
}

/** The batch up to which a segment's mark says that all is synced; 0 without a mark. */
export function readSyncMark(bytes: Buffer): bigint {
  const mark = bytes.subarray(MARK_AT, MARK_AT + MARK_BYTES);
  return crc32c(mark.subarray(0, 8)) === mark.readUInt32LE(8) ? mark.readBigUInt64LE() : 0n;
}
