import {
  closeSync,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { hasErrno } from '@skep/platform';
import { LOG_READ_BLOCK_BYTES } from '../limits.js';
import type { FilePolicy } from './options.js';
import { PACKED, packFile } from './packed-file.js';

const NEWLINE = 10;
const SUFFIXES = ['', PACKED];

/**
 * A log in numbered files of bounded size: `path` is written, `path.1` is the one before, and so
 * on. Files are told apart by generation, a number that grows by one at each rotation, so that a
 * reader finds "the next file" whatever was renamed meanwhile.
 */
export class LogFiles {
  readonly path: string;
  readonly #bytesMax: number;
  readonly #files: number;
  readonly #compress: boolean;
  /** Generations that are full and not compressed yet. */
  #toPack: number[] = [];
  #packing: Promise<void> | undefined;
  #file: number | undefined;
  #size = 0;
  #inode = 0;
  #generation = 0;

  constructor(options: FilePolicy & { path: string }) {
    this.path = options.path;
    this.#bytesMax = options.fileBytesMax;
    this.#files = options.files;
    this.#compress = options.compress;
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

  /**
   * How many entries were appended since the log stood there, possibly by an earlier daemon; one that
   * it was killed in is removed. Undefined when that file is gone. To be called before any append.
   */
  entriesSince({ inode, size }: { inode: number; size: number }): number | undefined {
    this.close();
    let entries = 0;
    for (let age = 0; age < this.#files; age++) {
      const path = age === 0 ? this.path : `${this.path}.${age}`;
      const stats = statSync(path, { throwIfNoEntry: false });
      const isStart = stats?.ino === inode;
      const start = isStart ? size : 0;
      // Shorter than it was: somebody else's doing.
      if (stats && stats.size < start) return undefined;
      const whole = stats ? wholeEntries(path, start) : { entries: 0, end: 0 };
      entries += whole.entries;
      if (stats && stats.size > whole.end) truncateSync(path, whole.end);
      if (isStart) return entries;
    }
    return undefined;
  }

  /**
   * Compresses files that are full, in the background. To be called when nobody would look for the
   * place of an append in them any more: a compressed file is another one.
   */
  packFull(): void {
    if (this.#packing || this.#toPack.length === 0) return;
    this.#packing = this.#packAll().finally(() => {
      this.#packing = undefined;
    });
  }

  /** Resolves when no file is being compressed. */
  get packed(): Promise<void> {
    return this.#packing ?? Promise.resolve();
  }

  async #packAll(): Promise<void> {
    const packed = `${this.path}${PACKED}.new`;
    for (;;) {
      const generation = this.#toPack.shift();
      if (generation === undefined) return;
      if (generation < this.oldestGeneration) continue;
      try {
        await packFile(this.pathOf(generation), packed);
        if (generation < this.oldestGeneration) continue;
        const path = this.pathOf(generation);
        renameSync(packed, path + PACKED);
        rmSync(path, { force: true });
      } catch {
        // The disk is full, or the container is gone: what cannot be compressed stays as it is.
        rmSync(packed, { force: true });
      }
    }
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
    const oldest = this.#files === 1 ? this.path : `${this.path}.${this.#files - 1}`;
    for (const suffix of SUFFIXES) rmSync(oldest + suffix, { force: true });
    for (let age = this.#files - 1; age >= 1; age--) {
      const newer = age === 1 ? this.path : `${this.path}.${age - 1}`;
      for (const suffix of SUFFIXES) {
        renameIfThere(newer + suffix, `${this.path}.${age}${suffix}`);
      }
    }
    if (this.#compress) this.#toPack.push(this.#generation);
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

/** Entries from an offset on, and where the last of them ends. */
function wholeEntries(path: string, start: number): { entries: number; end: number } {
  const block = Buffer.alloc(LOG_READ_BLOCK_BYTES);
  const file = openSync(path, 'r');
  let entries = 0;
  let end = start;
  try {
    for (let offset = start; ; ) {
      const length = readSync(file, block, 0, block.length, offset);
      if (length === 0) return { entries, end };
      for (let at = block.indexOf(NEWLINE); at >= 0 && at < length; ) {
        entries++;
        end = offset + at + 1;
        at = block.indexOf(NEWLINE, at + 1);
      }
      offset += length;
    }
  } finally {
    closeSync(file);
  }
}
