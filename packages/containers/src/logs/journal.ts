import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from '@skep/platform';
import { LOG_CHUNK_BYTES, LOG_LINE_BYTES_MAX } from '../limits.js';
import type { Kernel } from '../linux/kernel.js';

export type Stream = 'stdout' | 'stderr';
export const STREAMS: readonly Stream[] = ['stdout', 'stderr'];

/** Where a log stands between two appends. */
export interface LogState {
  /** The log file's inode and size. */
  inode: number;
  size: number;
  /** Beginnings of lines that wait for their end. */
  pending: Record<Stream, Uint8Array>;
}

/** What a killed daemon left: the state before its last append, and what it had taken since. */
export interface JournalEntry extends LogState {
  /** Bytes taken from the container that may lack in the log: of one stream at most. */
  chunks: Record<Stream, Uint8Array>;
}

/** What a place not read into holds: no byte of UTF-8, in which logs are kept. */
const BLANK = 0xff;
/** The first number of the file: others did not write it. */
const MARK = 0x736b6570;
/** The mark, the state in force (0 or 1), and two states, as doubles. */
const ACTIVE = 1;
const STATES = 2;
/** A state: inode, size, lengths of pending lines, stream and bytes of the chunk that led to it. */
const STATE_NUMBERS = 6;
const DONE_BYTES = 5;
const HEADER_NUMBERS = STATES + 2 * STATE_NUMBERS;
const HEADER_BYTES = 4096;
const MAPPED_BYTES = HEADER_BYTES + STREAMS.length * LOG_CHUNK_BYTES;

interface OpenJournal {
  file: number;
  header: Float64Array;
  areas: Record<Stream, Uint8Array>;
}

/**
 * A file in memory that the kernel itself reads a container's output into: taking bytes out of the
 * pipe and keeping them beyond this process is one system call, so a kill finds them in one of the
 * two. The process then says in it how far the log is. States take turns, and one store puts the
 * next in force. (A power cut is no matter here: it ends the container too.)
 */
export class LogJournal {
  readonly #path: string;
  readonly #kernel: Kernel;
  #open: OpenJournal | undefined;

  constructor(options: { path: string; kernel: Kernel }) {
    this.#path = options.path;
    this.#kernel = options.kernel;
  }

  /** Where the next bytes of the stream are to be read to. Begins a journal when there is none. */
  area(stream: Stream, state: LogState): Uint8Array {
    this.#open ??= this.#begin(state);
    return this.#open.areas[stream];
  }

  /** All space is taken now: a mapping that cannot be filled later would end the process. */
  #begin(state: LogState): OpenJournal {
    const fresh = `${this.#path}.new`;
    const blank = Buffer.alloc(MAPPED_BYTES, BLANK);
    const numbers = [MARK, 0, ...stateNumbers(state, 'stdout', 0), ...Array(STATE_NUMBERS).fill(0)];
    blank.set(new Uint8Array(Float64Array.from(numbers).buffer));
    mkdirSync(dirname(fresh), { recursive: true, mode: 0o700 });
    let file: number | undefined;
    try {
      writeFileSync(fresh, blank, { mode: 0o600 });
      file = openSync(fresh, 'r+');
      writePending(file, 0, state);
      const memory = this.#kernel.mapFile(file, MAPPED_BYTES);
      renameSync(fresh, this.#path);
      const header = new Float64Array(memory, 0, HEADER_NUMBERS);
      const area = (at: number) => new Uint8Array(memory, areaOffset(at), LOG_CHUNK_BYTES);
      return { file, header, areas: { stdout: area(0), stderr: area(1) } };
    } catch (error) {
      if (file !== undefined) closeSync(file);
      rmSync(fresh, { recursive: true, force: true });
      throw error;
    }
  }

  /** The first `bytes` of the stream's area are used up, which led to this state. */
  commit(stream: Stream, bytes: number, state: LogState): void {
    if (!this.#open) return;
    const { file, header, areas } = this.#open;
    const next = header[ACTIVE] === 0 ? 1 : 0;
    const start = stateStart(next);
    writePending(file, next, state);
    header.set(stateNumbers(state, stream, bytes), start);
    header[ACTIVE] = next;
    areas[stream].fill(BLANK, 0, bytes);
    header[start + DONE_BYTES] = 0;
  }

  /** What an earlier daemon left, or undefined when there is nothing of use. */
  read(): JournalEntry | undefined {
    try {
      return decode(readFileSync(this.#path));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.#open) closeSync(this.#open.file);
    this.#open = undefined;
  }

  remove(): void {
    this.close();
    rmSync(this.#path, { force: true });
  }
}

function stateStart(at: number): number {
  return STATES + at * STATE_NUMBERS;
}

function areaOffset(at: number): number {
  return HEADER_BYTES + at * LOG_CHUNK_BYTES;
}

/** Beyond the mapping, and written by calls: room for them is only taken when it is needed. */
function pendingOffset(state: number, stream: number): number {
  return MAPPED_BYTES + (state * STREAMS.length + stream) * LOG_LINE_BYTES_MAX;
}

function stateNumbers(state: LogState, stream: Stream, bytes: number): number[] {
  const { inode, size, pending } = state;
  const { stdout, stderr } = pending;
  return [inode, size, stdout.length, stderr.length, STREAMS.indexOf(stream), bytes];
}

function writePending(file: number, at: number, { pending }: LogState): void {
  for (const [index, stream] of STREAMS.entries()) {
    const bytes = pending[stream];
    if (bytes.length > 0) writeSync(file, bytes, 0, bytes.length, pendingOffset(at, index));
  }
}

function decode(data: Buffer): JournalEntry | undefined {
  if (data.length < MAPPED_BYTES) return undefined;
  const header = new Float64Array(Uint8Array.from(data.subarray(0, 8 * HEADER_NUMBERS)).buffer);
  const active = header[ACTIVE];
  if (header[0] !== MARK || (active !== 0 && active !== 1)) return undefined;
  const numbers = header.subarray(stateStart(active), stateStart(active) + STATE_NUMBERS);
  const [inode = 0, size = 0, stdoutBytes = 0, stderrBytes = 0, doneStream, doneBytes = 0] =
    numbers;
  const pending = (at: number, bytes: number) =>
    data.subarray(pendingOffset(active, at), pendingOffset(active, at) + bytes);
  const chunk = (at: number) =>
    // Used up, and killed while it was blanked: nothing was read since.
    doneBytes > 0 && doneStream === at ? Buffer.alloc(0) : filled(data, areaOffset(at));
  return {
    inode,
    size,
    pending: { stdout: pending(0, stdoutBytes), stderr: pending(1, stderrBytes) },
    chunks: { stdout: chunk(0), stderr: chunk(1) },
  };
}

function filled(data: Buffer, start: number): Buffer {
  let end = start + LOG_CHUNK_BYTES;
  while (end > start && data[end - 1] === BLANK) end--;
  return data.subarray(start, end);
}
