import { closeSync, openSync, readFileSync, rmSync, writevSync } from 'node:fs';
import { hasErrno } from '@skep/platform';

export type Stream = 'stdout' | 'stderr';

/** What was about to be done to the log: enough to tell after a crash whether it was done. */
export interface JournalEntry {
  stream: Stream;
  /** The bytes taken from the container. */
  chunk: Uint8Array;
  /** Beginnings of lines that waited for their end before the chunk. */
  pending: Record<Stream, Uint8Array>;
  /** The log file before the append: its inode and size. */
  inode: number;
  size: number;
}

const STREAMS: readonly Stream[] = ['stdout', 'stderr'];
/** Before the bytes, as doubles: number of the entry, stream, inode, size, and three lengths. */
const HEADER_NUMBERS = 7;
const HEADER_BYTES = 8 * HEADER_NUMBERS;
/** After the bytes: the number of the entry again. */
const TRAILER_BYTES = 8;

/**
 * A file that holds the one chunk that is on its way to the log. It is written before the log is,
 * in one call, so that whatever instant a daemon is killed at, the next one can finish what was
 * begun. Until that call a kill loses the chunk, so nothing is computed from its bytes before it; a
 * call that the kill cut off lacks the number at the end. (A power cut is no matter here: what a
 * container prints is not synced to the disk.)
 */
export class LogJournal {
  readonly #path: string;
  readonly #header = new Float64Array(HEADER_NUMBERS);
  readonly #trailer = this.#header.subarray(0, 1);
  #file: number | undefined;
  #entries = 0;

  constructor(path: string) {
    this.#path = path;
  }

  write({ stream, chunk, pending: { stdout, stderr }, inode, size }: JournalEntry): void {
    this.#file ??= openSync(this.#path, 'w+', 0o640);
    const lengths = [chunk.length, stdout.length, stderr.length];
    this.#header.set([++this.#entries, STREAMS.indexOf(stream), inode, size, ...lengths]);
    writevSync(this.#file, [this.#header, chunk, stdout, stderr, this.#trailer], 0);
  }

  /** The last entry, or undefined when there is none, or one that was cut off in the writing. */
  read(): JournalEntry | undefined {
    let data: Buffer;
    try {
      data = readFileSync(this.#path);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    return decode(data);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  remove(): void {
    this.close();
    rmSync(this.#path, { force: true });
  }
}

function decode(data: Buffer): JournalEntry | undefined {
  if (data.length < HEADER_BYTES) return undefined;
  const header = new Float64Array(Uint8Array.from(data.subarray(0, HEADER_BYTES)).buffer);
  // Something else may stand there, such as what an older daemon left.
  if (!header.every((number) => Number.isSafeInteger(number) && number >= 0)) return undefined;
  const [entry, at = -1, inode = 0, size = 0, ...lengths] = header;
  const [chunkBytes = 0, stdoutBytes = 0, stderrBytes = 0] = lengths;
  const stream = STREAMS[at];
  const chunkEnd = HEADER_BYTES + chunkBytes;
  const stdoutEnd = chunkEnd + stdoutBytes;
  const end = stdoutEnd + stderrBytes;
  const isWhole = data.length >= end + TRAILER_BYTES && data.readDoubleLE(end) === entry;
  if (!isWhole || stream === undefined) return undefined;
  return {
    stream,
    inode,
    size,
    chunk: data.subarray(HEADER_BYTES, chunkEnd),
    pending: { stdout: data.subarray(chunkEnd, stdoutEnd), stderr: data.subarray(stdoutEnd, end) },
  };
}
