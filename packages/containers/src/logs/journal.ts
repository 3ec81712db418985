import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
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

interface Header {
  stream: Stream;
  inode: number;
  size: number;
  lengths: [chunk: number, stdout: number, stderr: number];
  crc: number;
}

/** Room for the header line, padded so that the bytes after it start at a fixed place. */
const HEADER_BYTES = 256;

/**
 * A file that holds the one chunk that is on its way to the log. It is written before the log is,
 * in one call, so that whatever instant a daemon is killed at, the next one can finish what was
 * begun.
 */
export class LogJournal {
  readonly #path: string;
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  write(entry: JournalEntry): void {
    this.#file ??= openSync(this.#path, 'w+', 0o640);
    const { stdout, stderr } = entry.pending;
    const body = Buffer.concat([entry.chunk, stdout, stderr]);
    const header: Header = {
      stream: entry.stream,
      inode: entry.inode,
      size: entry.size,
      lengths: [entry.chunk.length, stdout.length, stderr.length],
      crc: crc32(body),
    };
    const head = Buffer.from(JSON.stringify(header).padEnd(HEADER_BYTES));
    const data = Buffer.concat([head, body]);
    writeSync(this.#file, data, 0, data.length, 0);
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
  let header: Header;
  try {
    header = JSON.parse(data.toString('utf8', 0, HEADER_BYTES)) as Header;
  } catch {
    return undefined;
  }
  const [chunkBytes, stdoutBytes, stderrBytes] = header.lengths;
  const body = data.subarray(HEADER_BYTES, HEADER_BYTES + chunkBytes + stdoutBytes + stderrBytes);
  if (crc32(body) !== header.crc) return undefined;
  const { stream, inode, size } = header;
  const stdoutEnd = chunkBytes + stdoutBytes;
  return {
    stream,
    inode,
    size,
    chunk: body.subarray(0, chunkBytes),
    pending: { stdout: body.subarray(chunkBytes, stdoutEnd), stderr: body.subarray(stdoutEnd) },
  };
}
