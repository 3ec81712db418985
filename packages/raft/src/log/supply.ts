import { join } from 'node:path';
import { type Clock, type Disk, hasErrno, type Logger, type Random } from '@skep/platform';
import { LogCorruptError, NoSpaceError } from '../errors.js';
import type { KeyRing } from '../keys/ring.js';
import type { SegmentIdentity } from './record.js';
import {
  newSegmentHeader,
  type OpenSegment,
  parseSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentPath,
  sparePath,
} from './segment.js';

interface Spare {
  identity: SegmentIdentity;
  path: string;
  size: number;
}

export interface SupplyOptions {
  disk: Disk;
  directory: string;
  keys: KeyRing;
  random: Random;
  clock: Clock;
  log: Logger;
  segmentBytes: number;
  spaceRetryMs: number;
}

/**
 * Keeps one segment reserved ahead, so that rolling over is quick and a full disk is met between
 * writes.
 */
export class SegmentSupply {
  readonly #options: SupplyOptions;
  #spare: Spare | undefined;
  #reserving: Promise<Spare> | undefined;
  #refusedAtMs: number | undefined;

  constructor(options: SupplyOptions) {
    this.#options = options;
  }

  /** Bytes for records in the spare; 0 without one. */
  get spareRoom(): number {
    return this.#spare ? this.#spare.size - SEGMENT_HEADER_BYTES : 0;
  }

  /** Whether there is no spare because the last try to reserve one met a full disk. */
  get isDiskFull(): boolean {
    return !this.#spare && this.#refusedAtMs !== undefined;
  }

  get #isTooSoon(): boolean {
    if (this.#refusedAtMs === undefined) return false;
    return this.#options.clock.monotonic() - this.#refusedAtMs < this.#options.spaceRetryMs;
  }

  /**
   * Takes over the spare with this sequence that an earlier run left, and removes all other
   * left-overs.
   */
  async adopt(sequence: bigint): Promise<void> {
    const { disk, directory } = this.#options;
    const wanted = sparePath(directory, sequence);
    for (const name of await disk.list(directory)) {
      const path = join(directory, name);
      if (name.endsWith('.log') || path === wanted) continue;
      await disk.remove(path);
    }
    this.#spare = await this.#readSpare(wanted, sequence);
    if (!this.#spare) await disk.remove(wanted);
  }

  /** A spare as an earlier run left it; undefined when it is missing or of no use. */
  async #readSpare(path: string, sequence: bigint): Promise<Spare | undefined> {
    const { disk, keys, random } = this.#options;
    const info = await disk.stat(path);
    if (!info) return undefined;
    const file = await disk.open(path, 'read');
    try {
      const header = Buffer.from(await file.read(0, SEGMENT_HEADER_BYTES));
      const identity = parseSegmentHeader(path, header, sequence, keys, random);
      return { identity, path, size: info.size };
    } catch (error) {
      if (error instanceof LogCorruptError) return undefined;
      throw error;
    } finally {
      await file.close();
    }
  }

  /**
   * Begins to reserve a spare, unless there is one or a full disk refused one a moment ago. A
   * failure shows when one is taken.
   */
  prepare(sequence: bigint): void {
    if (this.#spare || this.#reserving || this.#isTooSoon) return;
    this.#reserve(sequence, this.#options.segmentBytes).catch((error: unknown) => {
      const fields = { error: String(error) };
      this.#options.log.warn(fields, 'cannot reserve the next segment of the raft log');
    });
  }

  /**
   * The next segment, with room for at least `bytes` of records, in use and ready to be written.
   * Throws {@link NoSpaceError} on a full disk; the log is then as it was.
   */
  async take(sequence: bigint, firstIndex: bigint, bytes: number): Promise<OpenSegment> {
    const { disk, directory, segmentBytes } = this.#options;
    await this.#reserving?.catch(() => undefined);
    const size = Math.max(segmentBytes, SEGMENT_HEADER_BYTES + bytes);
    if (this.#spare && !this.#isOfUse(this.#spare, size)) await this.#discard();
    const spare = this.#spare ?? (await this.#reserve(sequence, size));
    const path = segmentPath(directory, sequence, firstIndex);
    await disk.rename(spare.path, path);
    await disk.syncDirectory(directory);
    this.#spare = undefined;
    const file = await disk.open(path, 'read-write');
    const { identity } = spare;
    const position = SEGMENT_HEADER_BYTES;
    return { ...identity, path, size: spare.size, firstIndex, firstBatch: 0n, file, position };
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#reserving?.catch(() => undefined);
  }

  /** A spare made before the key was changed is of none. */
  #isOfUse(spare: Spare, size: number): boolean {
    return spare.size >= size && this.#options.keys.isCurrent(spare.identity.keyId);
  }

  async #discard(): Promise<void> {
    const path = this.#spare?.path;
    this.#spare = undefined;
    if (path) await this.#options.disk.remove(path);
  }

  #reserve(sequence: bigint, size: number): Promise<Spare> {
    if (this.#isTooSoon) return Promise.reject(new NoSpaceError());
    this.#reserving = this.#make(sequence, size)
      .then((spare) => {
        this.#refusedAtMs = undefined;
        this.#spare = spare;
        return spare;
      })
      .catch((error: unknown) => {
        if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
        this.#refusedAtMs = this.#options.clock.monotonic();
        throw new NoSpaceError({ cause: error });
      })
      .finally(() => {
        this.#reserving = undefined;
      });
    return this.#reserving;
  }

  /** Reserved, headed and synced under a temporary name before it is called a spare. */
  async #make(sequence: bigint, size: number): Promise<Spare> {
    const { disk, directory, keys, random } = this.#options;
    const path = sparePath(directory, sequence);
    const temporary = `${path}.tmp`;
    await disk.remove(temporary);
    const file = await disk.open(temporary, 'create');
    const { bytes, identity } = newSegmentHeader(sequence, keys, random);
    try {
      await file.allocate(size);
      await file.write(0, bytes);
      await file.datasync();
      await disk.rename(temporary, path);
      await disk.syncDirectory(directory);
    } catch (error) {
      await disk.remove(temporary);
      throw error;
    } finally {
      await file.close();
    }
    return { identity, path, size };
  }
}
