import { join } from 'node:path';
import type { Disk, Logger, Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import type { KeyRing } from '../keys/ring.js';
import type { LogPosition } from '../log/entry.js';
import {
  decodeSnapshotFile,
  encodeSnapshotFile,
  KEY_ID_END,
  keyIdOf,
  type RaftSnapshot,
} from './file.js';

export interface SnapshotFilesOptions {
  disk: Disk;
  /** Directory of the snapshots' own, made when missing. */
  directory: string;
  keys: KeyRing;
  random: Random;
  log: Logger;
  /** Snapshots kept besides the newest. */
  oldKept: number;
}

/** A snapshot on disk. */
interface StoredSnapshot extends LogPosition {
  /** Fingerprint of the key it is encrypted under. */
  keyId: Uint8Array;
}

/** The snapshots on disk. */
export class SnapshotFiles {
  readonly #options: SnapshotFilesOptions;
  #oldKept: number;
  #stored: StoredSnapshot[];
  #saving: Promise<void> = Promise.resolve();

  private constructor(options: SnapshotFilesOptions, stored: StoredSnapshot[]) {
    this.#options = options;
    this.#oldKept = options.oldKept;
    this.#stored = stored;
  }

  static async open(options: SnapshotFilesOptions): Promise<SnapshotFiles> {
    const { disk, directory } = options;
    await disk.makeDirectory(directory);
    const stored: StoredSnapshot[] = [];
    for (const name of await disk.list(directory)) {
      const path = join(directory, name);
      const position = parseName(name);
      if (position) stored.push({ ...position, keyId: await readKeyId(disk, path) });
      else if (name.endsWith('.tmp')) await disk.remove(path);
    }
    return new SnapshotFiles(options, stored.sort(byIndex));
  }

  /** Positions of the snapshots there are, the oldest first. */
  get positions(): readonly LogPosition[] {
    return this.#stored;
  }

  /** Snapshots kept besides the newest, from the next one saved on. */
  set oldKept(count: number) {
    this.#oldKept = count;
  }

  /** Whether the newest snapshot is encrypted under the current key. */
  get isNewestCurrent(): boolean {
    const newest = this.#stored.at(-1);
    return newest !== undefined && this.#options.keys.isCurrent(newest.keyId);
  }

  /**
   * The newest snapshot that can be read and that the log, which starts after `base`, goes on from.
   * Undefined when there is none and none is needed. Throws `LogCorruptError` when one is needed.
   */
  async newest(base: LogPosition): Promise<RaftSnapshot | undefined> {
    let firstError: unknown;
    for (const position of [...this.#stored].reverse()) {
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

  /**
   * Writes a snapshot durably, then removes those that are too many. One after the other, in order
   * of calls.
   */
  save(snapshot: RaftSnapshot): Promise<void> {
    const saved = this.#saving.then(() => this.#save(snapshot));
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  async #save(snapshot: RaftSnapshot): Promise<void> {
    const { disk, keys, random } = this.#options;
    const { index, term } = snapshot;
    const keyId = keys.current.id;
    const file = encodeSnapshotFile(snapshot, keys, random);
    await disk.writeFileAtomic(this.#path(snapshot), file);
    this.#stored = this.#stored.filter((other) => other.index !== index || other.term !== term);
    this.#stored = [...this.#stored, { index, term, keyId }].sort(byIndex);
    while (this.#stored.length > this.#oldKept + 1) {
      await disk.remove(this.#path(this.#stored.shift()!));
    }
  }

  /** Removes the snapshots under old keys; the log must be able to go on from one that stays. */
  async dropUnderOldKeys(): Promise<void> {
    const { disk, directory, keys } = this.#options;
    await this.#saving;
    for (const stored of this.#stored) {
      if (!keys.isCurrent(stored.keyId)) await disk.remove(this.#path(stored));
    }
    this.#stored = this.#stored.filter(({ keyId }) => keys.isCurrent(keyId));
    await disk.syncDirectory(directory);
  }

  async #read(position: LogPosition): Promise<RaftSnapshot> {
    const { disk, keys, random } = this.#options;
    const path = this.#path(position);
    const snapshot = decodeSnapshotFile(path, await disk.readFile(path), keys, random);
    if (snapshot.index !== position.index || snapshot.term !== position.term) {
      throw new LogCorruptError(path, 'the snapshot of another position');
    }
    return snapshot;
  }

  #path({ index, term }: LogPosition): string {
    return join(this.#options.directory, `${hex16(term)}-${hex16(index)}.snap`);
  }
}

async function readKeyId(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, 'read');
  try {
    return keyIdOf(await file.read(0, KEY_ID_END));
  } finally {
    await file.close();
  }
}

function byIndex(a: LogPosition, b: LogPosition): number {
  return Number(a.index - b.index);
}

function hex16(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

function parseName(name: string): LogPosition | undefined {
  const match = /^([0-9a-f]{16})-([0-9a-f]{16})\.snap$/.exec(name);
  return match ? { term: BigInt(`0x${match[1]}`), index: BigInt(`0x${match[2]}`) } : undefined;
}
