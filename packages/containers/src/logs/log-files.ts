import { closeSync, fstatSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { hasErrno } from '@skep/platform';

/**
 * A log in numbered files of bounded size: `path` is written, `path.1` is the one before, and so on.
 * Files are told apart by generation, a number that grows by one at each rotation, so that a reader
 * finds "the next file" whatever was renamed meanwhile.
 */
export class LogFiles {
  readonly path: string;
  readonly #bytesMax: number;
  readonly #files: number;
  #file: number | undefined;
  #size = 0;
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
   * Appends at once, before it returns: a chunk that was taken from a container is in the kernel's cache
   * when the next is read, and `kill -9` cannot lose it. Rotates first when the bound would be passed.
   */
  append(data: Uint8Array): void {
    if (this.#file === undefined) this.#open();
    if (this.#size > 0 && this.#size + data.length > this.#bytesMax) this.#rotate();
    let written = 0;
    while (written < data.length) {
      written += writeSync(this.#file as number, data, written);
    }
    this.#size += data.length;
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #open(): void {
    this.#file = openSync(this.path, 'a', 0o640);
    this.#size = fstatSync(this.#file).size;
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

/** Bytes of a file; 0 when missing. */
export function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
