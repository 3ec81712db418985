import { join } from 'node:path';
import type { Disk, Logger, Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import type { DataKey } from '../keys/cipher.js';
import type { LogPosition } from '../log/entry.js';
import { decodeSnapshotFile, encodeSnapshotFile, type RaftSnapshot } from './file.js';

export interface SnapshotFilesOptions {
  disk: Disk;
  /** Directory of the snapshots' own, made when missing. */
  directory: string;
  key: DataKey;
  random: Random;
  log: Logger;
  /** Snapshots kept besides the newest. */
  oldKept: number;
}

/** The snapshots on disk. */
export class SnapshotFiles {
  readonly #options: SnapshotFilesOptions;
  #positions: LogPosition[];

  private constructor(options: SnapshotFilesOptions, positions: LogPosition[]) {
    this.#options = options;
    this.#positions = positions;
  }

  static async open(options: SnapshotFilesOptions): Promise<SnapshotFiles> {
    const { disk, directory } = options;
    await disk.makeDirectory(directory);
    const positions: LogPosition[] = [];
    for (const name of await disk.list(directory)) {
      const position = parseName(name);
      if (position) positions.push(position);
      else if (name.endsWith('.tmp')) await disk.remove(join(directory, name));
    }
    positions.sort((a, b) => Number(a.index - b.index));
    return new SnapshotFiles(options, positions);
  }

  /** Positions of the snapshots there are, the oldest first. */
  get positions(): readonly LogPosition[] {
    return this.#positions;
  }

  /**
   * The newest snapshot that can be read and that the log, which starts after `base`, goes on from.
   * Undefined when there is none and none is needed. Throws `LogCorruptError` when one is needed.
   */
  async newest(base: LogPosition): Promise<RaftSnapshot | undefined> {
    let firstError: unknown;
    for (const position of [...this.#positions].reverse()) {
      if (position.index < base.index) break;
      try {
        return await this.#read(position);
      } catch (error) {
        if (!(error instanceof LogCorruptError)) throw error;
        firstError ??= error;
        this.#options.log.error({ error: error.message }, 'a snapshot cannot be read');
      }
    }
    if (base.index === 0n) return undefined;
    if (firstError) throw firstError;
    const why = `no snapshot reaches the start of the log, entry ${base.index + 1n}`;
    throw new LogCorruptError(this.#options.directory, why);
  }

  /** Writes a snapshot durably, then removes those that are too many. */
  async save(snapshot: RaftSnapshot): Promise<void> {
    const { disk, key, random, oldKept } = this.#options;
    const position = { index: snapshot.index, term: snapshot.term };
    const file = encodeSnapshotFile(snapshot, key, random);
    await disk.writeFileAtomic(this.#path(position), file);
    this.#positions = this.#positions.filter(({ index }) => index !== position.index);
    this.#positions.push(position);
    while (this.#positions.length > oldKept + 1) {
      await disk.remove(this.#path(this.#positions.shift()!));
    }
  }

  async #read(position: LogPosition): Promise<RaftSnapshot> {
    const { disk, key, random } = this.#options;
    const path = this.#path(position);
    const snapshot = decodeSnapshotFile(path, await disk.readFile(path), key, random);
    if (snapshot.index !== position.index || snapshot.term !== position.term) {
      throw new LogCorruptError(path, 'the snapshot of another position');
    }
    return snapshot;
  }

  #path({ index, term }: LogPosition): string {
    return join(this.#options.directory, `${hex16(term)}-${hex16(index)}.snap`);
  }
}

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function parseName(name: string): LogPosition | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/.exec(name);
  return match ? { term: BigInt(`0x${match[1]}`), index: BigInt(`0x${match[2]}`) } : undefined;
}
