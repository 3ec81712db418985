import {
  closeSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { hasErrno } from '@skep/platform';

/**
 * A log in numbered files of bounded size: `path` is written, `path.1` is the one before, and so
 * on. Files are told apart by generation, a number that grows by one at each rotation, so that a
 * reader finds "the next file" whatever was renamed meanwhile.
 */
export class LogFiles {
  readonly path: string;
  readonly #bytesMax: number;
  readonly #files: number;
  #file: number | undefined;
  #size = 0;
  #inode = 0;
  #generation = 0;

  constructor(options: { path: string; fileBytesMax: number; files: number }) {
    this.path = options.path;
    this.#bytesMax = options.fileBytesMax;
    this.#files = options.files;
  }

  /** Generation of the file being written. */
  get generation(): number {
    return this.#generation;
  }

  /** Generation of the oldest file that may still be there. */
  get oldestGeneration(): number {
    return this.#generation - (this.#files - 1);
  }

  /** Where a generation is kept now. */
  pathOf(generation: number): string {
    const age = this.#generation - generation;
    return age === 0 ? this.path : `${this.path}.${age}`;
  }

  /**
   * Appends at once, before it returns: a chunk that was taken from a container is in the kernel's
   * cache when the next is read, and `kill -9` cannot lose it. A new file is begun between two
   * entries when the bound would be passed.
   */
  append(entries: readonly string[]): void {
    let batch: string[] = [];
    let bytes = 0;
    if (this.#file === undefined) this.#open();
    for (const entry of entries) {
      const length = Buffer.byteLength(entry);
      if (this.#size + bytes > 0 && this.#size + bytes + length > this.#bytesMax) {
        this.#write(batch);
        this.#rotate();
        batch = [];
        bytes = 0;
      }
      batch.push(entry);
      bytes += length;
    }
    this.#write(batch);
  }

  #write(entries: readonly string[]): void {
    const data = Buffer.from(entries.join(''));
    let written = 0;
    while (written < data.length) {
      written += writeSync(this.#file as number, data, written);
    }
    this.#size += data.length;
  }

  /** The file being written: what tells whether it was appended to. */
  get position(): { inode: number; size: number } {
    if (this.#file === undefined) this.#open();
    return { inode: this.#inode, size: this.#size };
  }

  /** Drops what lies beyond `size`: an append that was cut off. */
  truncate(size: number): void {
    this.close();
    truncateSync(this.path, size);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): void {
    this.#file = openSync(this.path, 'a', 0o640);
    const { size, ino } = fstatSync(this.#file);
    this.#size = size;
    this.#inode = ino;
  }

  #rotate(): void {
    this.close();
    if (this.#files === 1) rmSync(this.path, { force: true });
    for (let age = this.#files - 1; age >= 1; age--) {
      renameIfThere(age === 1 ? this.path : `${this.path}.${age - 1}`, `${this.path}.${age}`);
    }
    this.#generation++;
    this.#open();
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
