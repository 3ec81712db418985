import {
  type Cancel,
  type Clock,
  type Disk,
  hasErrno,
  invariant,
  type Logger,
  type Random,
} from '@skep/platform';
import { LogFailedError, NoSpaceError } from '../errors.js';
import type { KeyRing } from '../keys/ring.js';
import { RESERVE_BYTES, SEGMENT_BYTES, SPACE_RETRY_MS, SYNC_MARK_DELAY_MS } from '../limits.js';
import type { HardState, LogEntry, LogPosition } from './entry.js';
import { encodeEntry, encodeHardState, encodePosition } from './entry.js';
import type { EntryIndex, EntryLocation } from './entry-index.js';
import { readEntries } from './read.js';
import { encodeBatch, type LogRecord, RecordType, recordBytes } from './record.js';
import { type RecoveredLog, recoverLog } from './recovery.js';
import { type OpenSegment, SEGMENT_HEADER_BYTES, type Segment, writeSyncMark } from './segment.js';
import { SegmentSupply } from './supply.js';

export interface RaftLogOptions {
  disk: Disk;
  /** Directory of the log's own, made when missing. */
  directory: string;
  /** Every batch is written under the ring's current key, also after that changes. */
  keys: KeyRing;
  random: Random;
  clock: Clock;
  log: Logger;
  segmentBytes?: number;
  reserveBytes?: number;
  spaceRetryMs?: number;
  /** Only for tests of the tests: damage counts as the log's end. */
  isDamageIgnored?: boolean;
}

/** What is written, and becomes durable, together. */
export interface LogBatch {
  /** Who this node is; kept from the last batch that has it. */
  metadata?: Uint8Array;
  hardState?: HardState;
  /**
   * Lets the log go on after a snapshot from elsewhere: entries that disagree with it, or do not
   * reach it, are dropped.
   */
  start?: LogPosition;
  /** Contiguous. Where the first index is taken already, it and all that follow it are replaced. */
  entries?: readonly LogEntry[];
}

/**
 * Raft's log on disk: entries, hard state and identity, in preallocated segments. One append is one
 * write and one sync; callers gather what belongs together while an append is under way, and start
 * the next one after it.
 */
export class RaftLog {
  readonly #options: RaftLogOptions;
  readonly #supply: SegmentSupply;
  readonly #segments: Segment[];
  readonly #entries: EntryIndex;
  readonly #reserveBytes: number;
  #current: OpenSegment | undefined;
  #metadata: Uint8Array | undefined;
  #hardState: HardState;
  #lastBatch: bigint;
  #isAppending = false;
  #failure: LogFailedError | undefined;
  #cancelMark: Cancel | undefined;

  private constructor(options: RaftLogOptions, supply: SegmentSupply, recovered: RecoveredLog) {
    this.#options = options;
    this.#supply = supply;
    this.#segments = recovered.segments;
    this.#current = recovered.current;
    this.#entries = recovered.entries;
    this.#metadata = recovered.metadata;
    this.#hardState = recovered.hardState;
    this.#lastBatch = recovered.lastBatch;
    this.#reserveBytes = options.reserveBytes ?? RESERVE_BYTES;
  }

  /**
   * Opens a log, or starts an empty one. What a crash cut off is wiped. Needs no disk space for a
   * log that exists. Throws `LogCorruptError` when synced data is damaged.
   */
  static async open(options: RaftLogOptions): Promise<RaftLog> {
    const { disk, directory, log } = options;
    await disk.makeDirectory(directory);
    const recovered = await recoverLog(options);
    // After a killed process, names may be there that no one synced.
    await disk.syncDirectory(directory);
    if (recovered.tornBytes > 0) {
      log.warn({ bytes: recovered.tornBytes }, 'wiped the unsynced end of the raft log');
    }
    const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    const spaceRetryMs = options.spaceRetryMs ?? SPACE_RETRY_MS;
    const supply = new SegmentSupply({ ...options, segmentBytes, spaceRetryMs });
    const result = new RaftLog(options, supply, recovered);
    await supply.adopt(result.#nextSequence);
    supply.prepare(result.#nextSequence);
    return result;
  }

  /** What the last batch with metadata said; undefined for a new log. */
  get metadata(): Uint8Array | undefined {
    return this.#metadata;
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  /** The position before the first entry held. */
  get base(): LogPosition {
    return this.#entries.base;
  }

  /** The position of the last entry; that of `base` when there is none. */
  get last(): LogPosition {
    return this.#entries.last;
  }

  /** Term of the entry at `index`, or of the base; undefined where the log does not reach. */
  termOf(index: bigint): bigint | undefined {
    return this.#entries.termOf(index);
  }

  /**
   * Entries from `first` to `last`, both included: at least one, then no more than `bytesMax` of
   * records.
   */
  async read(first: bigint, last: bigint, bytesMax: number): Promise<LogEntry[]> {
    const locations: EntryLocation[] = [];
    let bytes = 0;
    for (let index = first; index <= last; index++) {
      const location = this.#entries.at(index);
      invariant(location, 'read beyond the log', { index: String(index) });
      bytes += location.length;
      if (bytes > bytesMax && locations.length > 0) break;
      locations.push(location);
    }
    return readEntries(this.#options.disk, locations);
  }

  /**
   * Whether entries with this many payload bytes in all are likely to find room. True while
   * segments can be reserved; on a full disk, the room left in the current one counts, less the
   * reserve.
   */
  hasRoom(entries: number, payloadBytes: number): boolean {
    if (!this.#supply.isDiskFull) return true;
    this.#supply.prepare(this.#nextSequence);
    return this.#room >= recordBytes(0) * entries + payloadBytes + this.#reserveBytes;
  }

  /**
   * Writes a batch and resolves when it is durable. One at a time.
   *
   * Throws `NoSpaceError` when no segment can be reserved: nothing was written, and the log goes
   * on. Throws `LogFailedError` on any other failure, and from then on: the process must stop.
   *
   * @param mayUseReserve for what a node needs to start or to free space
   */
  async append(batch: LogBatch, mayUseReserve = false): Promise<void> {
    invariant(!this.#isAppending, 'two appends at once');
    if (this.#failure) throw this.#failure;
    this.#isAppending = true;
    try {
      await this.#write(batch, mayUseReserve);
    } catch (error) {
      if (error instanceof NoSpaceError) throw error;
      this.#failure = new LogFailedError(error);
      throw this.#failure;
    } finally {
      this.#isAppending = false;
    }
    this.#markLater();
  }

  /**
   * Drops segments that hold no entry after `index`. Entries up to it may stay readable; that a
   * snapshot covers them is the caller's duty.
   */
  async compact(index: bigint): Promise<void> {
    invariant(index <= this.last.index, 'compaction beyond the log');
    for (;;) {
      const [oldest, next] = this.#segments;
      if (!oldest || !next || next.firstIndex > index + 1n) return;
      // A segment that says nothing yet cannot be read without the one before it.
      if (this.#segments.length === 2 && this.#isCurrentEmpty) return;
      this.#segments.shift();
      this.#entries.dropUpTo(next.firstIndex - 1n);
      await this.#options.disk.remove(oldest.path);
      // One by one: were a later one gone and an earlier one back after a crash, that would be a
      // gap.
      await this.#options.disk.syncDirectory(this.#options.directory);
    }
  }

  /** Closes the files of a log with no append under way. */
  async close(): Promise<void> {
    invariant(!this.#isAppending, 'closed during an append');
    this.#cancelMark?.();
    await this.#supply.close();
    const current = this.#current;
    this.#current = undefined;
    if (!current) return;
    if (!this.#failure) {
      await writeSyncMark(current.file, this.#lastBatch);
      await current.file.datasync();
    }
    await current.file.close();
  }

  /**
   * The last index that a segment under an old key may hold an entry of; undefined when all are
   * under the current one. The segment being written counts until the first append after the key
   * changed.
   */
  get lastUnderOldKey(): bigint | undefined {
    for (let at = this.#segments.length - 1; at >= 0; at--) {
      if (this.#options.keys.isCurrent(this.#segments[at]!.keyId)) continue;
      return (this.#segments[at + 1]?.firstIndex ?? this.last.index + 1n) - 1n;
    }
    return undefined;
  }

  /** Whether the segment being written is under an old key: the next append begins another. */
  get isUnderOldKey(): boolean {
    return this.#current !== undefined && !this.#options.keys.isCurrent(this.#current.keyId);
  }

  get #nextSequence(): bigint {
    return (this.#segments.at(-1)?.sequence ?? 0n) + 1n;
  }

  get #room(): number {
    return this.#current ? this.#current.size - this.#current.position : 0;
  }

  get #isCurrentEmpty(): boolean {
    return this.#current?.position === SEGMENT_HEADER_BYTES;
  }

  async #write(batch: LogBatch, mayUseReserve: boolean): Promise<void> {
    let records = recordsOf(batch);
    if (records.length === 0) return;
    const head = this.#carriedOver();
    const isFresh = this.#isCurrentEmpty;
    const bytes = lengthOf(records) + (isFresh ? lengthOf(head) : 0);
    const mustLeave = mayUseReserve || this.#supply.spareRoom > 0 ? 0 : this.#reserveBytes;
    const isRollingOver = this.#room < bytes + mustLeave || this.isUnderOldKey;
    if (isRollingOver) await this.#rollOver(lengthOf(head) + bytes);
    // Also where a crash wiped the first batch of a segment, which then has to be said again.
    if (isRollingOver || isFresh) records = [...head, ...records];
    const segment = this.#current;
    invariant(segment, 'no segment to write to');
    const number = this.#lastBatch + 1n;
    const encoded = encodeBatch(segment, segment.position, number, records);
    await writeReserved(segment, encoded);
    await segment.file.datasync();
    this.#noteWritten(batch, records, segment);
    segment.position += encoded.length;
    this.#lastBatch = number;
  }

  /**
   * Seals the current segment and goes on in the next. All in the current one is synced at this
   * point.
   */
  async #rollOver(bytes: number): Promise<void> {
    const sealed = this.#current;
    const firstIndex = this.last.index + 1n;
    const next = await this.#supply.take(this.#nextSequence, firstIndex, bytes);
    next.firstBatch = this.#lastBatch + 1n;
    this.#segments.push(next);
    this.#current = next;
    this.#supply.prepare(this.#nextSequence);
    await sealed?.file.close();
  }

  /** What a segment says first, so that it can be read without those before it. */
  #carriedOver(): LogRecord[] {
    const records: LogRecord[] = [];
    if (this.#metadata) records.push({ type: RecordType.METADATA, payload: this.#metadata });
    records.push({ type: RecordType.HARD_STATE, payload: encodeHardState(this.#hardState) });
    records.push({ type: RecordType.START, payload: encodePosition(this.last) });
    return records;
  }

  #noteWritten(batch: LogBatch, records: readonly LogRecord[], segment: OpenSegment): void {
    if (batch.metadata) this.#metadata = batch.metadata;
    if (batch.hardState) this.#hardState = batch.hardState;
    if (batch.start) this.#entries.startAt(batch.start);
    let offset = segment.position;
    let entry = 0;
    for (const record of records) {
      const length = recordBytes(record.payload.length);
      if (record.type === RecordType.ENTRY) {
        const { index, term } = batch.entries![entry++]!;
        this.#entries.put(index, { term, segment, offset, length });
      }
      offset += length;
    }
  }

  /**
   * Once the log is quiet, notes that all is synced: evidence, should its last batch ever be
   * damaged.
   */
  #markLater(): void {
    this.#cancelMark?.();
    this.#cancelMark = this.#options.clock.after(SYNC_MARK_DELAY_MS, () => {
      const segment = this.#current;
      if (this.#isAppending || !segment || this.#failure) return;
      writeSyncMark(segment.file, this.#lastBatch).catch((error: unknown) => {
        this.#options.log.warn({ error: String(error) }, 'cannot mark the raft log as synced');
      });
    });
  }
}

/**
 * Space was reserved, and can still turn out missing on a file system that copies on write. What
 * was written of the batch then lacks its end, and so will be taken for a write cut off by a crash.
 */
async function writeReserved(segment: OpenSegment, encoded: Uint8Array): Promise<void> {
  try {
    await segment.file.write(segment.position, encoded);
  } catch (error) {
    throw hasErrno(error, 'ENOSPC', 'EDQUOT') ? new NoSpaceError({ cause: error }) : error;
  }
}

function recordsOf(batch: LogBatch): LogRecord[] {
  const records: LogRecord[] = [];
  const add = (type: RecordType, payload: Uint8Array) => records.push({ type, payload });
  if (batch.metadata) add(RecordType.METADATA, batch.metadata);
  if (batch.hardState) add(RecordType.HARD_STATE, encodeHardState(batch.hardState));
  if (batch.start) add(RecordType.START, encodePosition(batch.start));
  for (const entry of batch.entries ?? []) add(RecordType.ENTRY, encodeEntry(entry));
  return records;
}

function lengthOf(records: readonly LogRecord[]): number {
  return records.reduce((sum, record) => sum + recordBytes(record.payload.length), 0);
}
