import { join } from 'node:path';
import type { Disk, DiskFile, Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import type { KeyRing } from '../keys/ring.js';
import { decodeEntry, decodeHardState, decodePosition, type HardState } from './entry.js';
import { EntryIndex } from './entry-index.js';
import { batchAt, type FoundRecord, findLaterBatch, RecordType, readRecord } from './record.js';
import {
  type OpenSegment,
  parseSegmentHeader,
  parseSegmentName,
  readSyncMark,
  SEGMENT_HEADER_BYTES,
  type Segment,
} from './segment.js';

/** What a log's files say. */
export interface RecoveredLog {
  segments: Segment[];
  /** The last segment, open for writing; undefined for a new log. */
  current: OpenSegment | undefined;
  entries: EntryIndex;
  metadata: Uint8Array | undefined;
  hardState: HardState;
  /** Number of the last batch; 0 for a new log. */
  lastBatch: bigint;
  /** Bytes of a write that a crash cut off, and that were wiped. */
  tornBytes: number;
}

export interface RecoveryOptions {
  disk: Disk;
  directory: string;
  keys: KeyRing;
  random: Random;
  isDamageIgnored?: boolean;
}

/** Reads a log back, wiping what a crash left of its last write. Throws {@link LogCorruptError}. */
export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog> {
  const { disk, directory } = options;
  const log: RecoveredLog = {
    segments: [],
    current: undefined,
    entries: new EntryIndex(),
    metadata: undefined,
    hardState: { term: 0n, vote: 0n, commit: 0n },
    lastBatch: 0n,
    tornBytes: 0,
  };
  const names = (await disk.list(directory)).filter((name) => parseSegmentName(name));
  for (const [number, name] of names.entries()) {
    await recoverSegment(options, log, name, number === names.length - 1);
  }
  if (options.isDamageIgnored) return log;
  const last = log.entries.last;
  if (log.hardState.commit > last.index) {
    const missing = `${last.index + 1n} to ${log.hardState.commit}`;
    throw new LogCorruptError(directory, `committed entries ${missing} are missing`);
  }
  return log;
}

async function recoverSegment(
  options: RecoveryOptions,
  log: RecoveredLog,
  name: string,
  isLast: boolean,
): Promise<void> {
  const path = join(options.directory, name);
  const { sequence, firstIndex } = parseSegmentName(name)!;
  const before = log.segments.at(-1);
  if (before && sequence !== before.sequence + 1n) {
    throw new LogCorruptError(path, 'the segment before it is missing');
  }
  const bytes = Buffer.from(await options.disk.readFile(path));
  const identity = parseSegmentHeader(path, bytes, sequence, options.keys, options.random);
  const firstBatch = log.lastBatch + 1n;
  const found = batchAt(bytes, SEGMENT_HEADER_BYTES) ?? firstBatch;
  if (before && found > firstBatch) {
    throw new LogCorruptError(
      before.path,
      `damaged: batches ${firstBatch} to ${found - 1n} are gone`,
    );
  }
  const segment: Segment = { ...identity, path, size: bytes.length, firstIndex, firstBatch };
  const { records, end } = readBatches(segment, bytes, before === undefined);
  for (const record of records) replay(log, segment, record);
  log.lastBatch = records.at(-1)?.batch ?? log.lastBatch;
  segment.firstBatch = records[0]?.batch ?? firstBatch;
  log.segments.push(segment);
  if (!options.isDamageIgnored) checkNothingSyncedBeyond(segment, bytes, end, log.lastBatch);
  if (isLast) log.current = await reopen(options.disk, segment, bytes, { log, records, end });
}

/** The records of the complete batches that follow each other from a segment's start. */
function readBatches(
  segment: Segment,
  bytes: Buffer,
  isFirst: boolean,
): { records: FoundRecord[]; end: number } {
  const records: FoundRecord[] = [];
  let complete = 0;
  let end = SEGMENT_HEADER_BYTES;
  let batch = isFirst ? undefined : segment.firstBatch;
  for (let offset = end; ; ) {
    const record = readRecord(segment, bytes, offset);
    if (record === 'sealed') {
      throw new LogCorruptError(segment.path, `the record at ${offset} cannot be decrypted`);
    }
    if (!record || record.batch !== (batch ?? record.batch)) break;
    records.push(record);
    offset = record.end;
    batch = record.batch;
    if (!record.isLast) continue;
    complete = records.length;
    end = offset;
    batch++;
  }
  records.length = complete;
  return { records, end };
}

/**
 * Tells a write that was cut off from damage to data that was synced. A batch is begun only when
 * the one before it is synced; so where a later batch, or a mark saying so, is found, an unreadable
 * one is damage.
 */
function checkNothingSyncedBeyond(
  segment: Segment,
  bytes: Buffer,
  end: number,
  lastBatch: bigint,
): void {
  const marked = readSyncMark(bytes);
  const later = findLaterBatch(bytes, end, lastBatch + 1n);
  if (marked <= lastBatch && later === undefined) return;
  throw new LogCorruptError(segment.path, `damaged at ${end}, where synced data was`);
}

function replay(log: RecoveredLog, segment: Segment, record: FoundRecord): void {
  const { type, payload, offset } = record;
  switch (type) {
    case RecordType.METADATA:
      log.metadata = payload;
      return;
    case RecordType.HARD_STATE:
      log.hardState = decodeHardState(payload);
      return;
    case RecordType.START:
      log.entries.startAt(decodePosition(payload));
      return;
    case RecordType.ENTRY: {
      const { index, term } = decodeEntry(payload);
      const last = log.entries.last.index;
      if (index > last + 1n) {
        throw new LogCorruptError(segment.path, `entry ${index} follows entry ${last}`);
      }
      log.entries.put(index, { term, segment, offset, length: record.end - offset });
      return;
    }
    default:
      throw new LogCorruptError(segment.path, `record of unknown type ${type} at ${offset}`);
  }
}

/** Opens the last segment for writing, with nothing but zeros after its last complete batch. */
async function reopen(
  disk: Disk,
  segment: Segment,
  bytes: Buffer,
  found: { log: RecoveredLog; records: FoundRecord[]; end: number },
): Promise<OpenSegment> {
  const { log, records, end } = found;
  const file = await disk.open(segment.path, 'read-write');
  let tail = bytes.length;
  while (tail > end && bytes[tail - 1] === 0) tail--;
  log.tornBytes = tail - end;
  if (tail > end) await file.write(end, Buffer.alloc(tail - end));
  await rewriteUnmarked(file, bytes, records, end);
  await file.datasync();
  return { ...segment, file, position: end };
}

/**
 * Writes again what no mark calls synced. After a failed sync Linux may hold such pages as clean:
 * they read well, no later sync writes them, and a power cut would lose them.
 */
async function rewriteUnmarked(
  file: DiskFile,
  bytes: Buffer,
  records: FoundRecord[],
  end: number,
): Promise<void> {
  const marked = readSyncMark(bytes);
  const first = records.find((record) => record.batch > marked);
  if (first) await file.write(first.offset, bytes.subarray(first.offset, end));
}
