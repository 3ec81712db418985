import { readFileSync } from 'node:fs';
import { type Clock, errorMessage, hasErrno, type Logger } from '@skep/platform';
import { encodeEntry } from './entry.js';
import { type JournalEntry, LogJournal, type Stream } from './journal.js';
import { LineSplitter } from './line-splitter.js';
import { LogFiles } from './log-files.js';
import type { LogPolicy } from './options.js';

const NEWLINE = 10;
/**
 * A chunk up to this size that ends a line, with none before it unfinished, goes to the log at
 * once: that takes little longer than writing the journal would.
 */
const UNJOURNALED_BYTES_MAX = 256;

export interface ContainerLogOptions {
  /** The json-file's path; side files lie next to it. */
  path: string;
  policy: LogPolicy;
  attributes: Record<string, string>;
  clock: Clock;
  logger: Logger;
}

/**
 * What a container prints, kept as Docker's json-file. Every chunk is in the kernel's cache when
 * `write` returns, also the beginning of a line whose end has not come: the next daemon goes on in
 * the middle of it. See {@link LogJournal} for how a kill between two writes is undone.
 */
export class ContainerLog {
  readonly policy: LogPolicy;
  readonly files: LogFiles;
  readonly #options: ContainerLogOptions;
  readonly #attributes: string;
  readonly #journal: LogJournal;
  #splitters: Record<Stream, LineSplitter>;
  readonly #followers = new Set<() => void>();
  #lastNs = 0n;
  #failing = false;
  #live = false;

  constructor(options: ContainerLogOptions) {
    this.policy = options.policy;
    this.#options = options;
    const { path, policy, attributes } = options;
    this.files = new LogFiles({ path, fileBytesMax: policy.fileBytesMax, files: policy.files });
    this.#attributes = Object.keys(attributes).length > 0 ? JSON.stringify(attributes) : '';
    this.#journal = new LogJournal(`${path}.journal`);
    this.#splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
  }

  /** Whether more may come: what a follower waits for. */
  get live(): boolean {
    return this.#live;
  }

  /** To be called once before output of a run that an earlier daemon saw the beginning of. */
  recover(): void {
    const entry = this.policy.keeps ? this.#journal.read() : undefined;
    if (entry) this.#redo(entry);
  }

  /** Between the start of a container and the end of its streams. */
  setLive(live: boolean): void {
    this.#live = live;
    if (!live) {
      this.files.close();
      this.#journal.remove();
    }
    this.#notify();
  }

  /** Lets go of the files; what is unfinished stays for the next daemon. */
  release(): void {
    this.files.close();
    this.#journal.close();
  }

  write(stream: Stream, chunk: Uint8Array): void {
    if (!this.policy.keeps) return;
    const { stdout, stderr } = this.#splitters;
    const simple =
      chunk.length <= UNJOURNALED_BYTES_MAX &&
      chunk[chunk.length - 1] === NEWLINE &&
      stdout.pending.length + stderr.pending.length === 0;
    if (!simple) this.#writeJournal(stream, chunk);
    this.#append(stream, this.#splitters[stream].push(chunk));
  }

  /** The end of a stream: its last line may lack the newline. */
  end(stream: Stream): void {
    const rest = this.#splitters[stream].flush();
    if (!rest || !this.policy.keeps) return;
    this.#append(stream, [rest]);
    this.#journal.remove();
  }

  /** Calls back after each write and at the end, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  #writeJournal(stream: Stream, chunk: Uint8Array): void {
    const { stdout, stderr } = this.#splitters;
    this.#guarded(() =>
      this.#journal.write({
        stream,
        chunk,
        pending: { stdout: stdout.pending, stderr: stderr.pending },
        ...this.files.position,
      }),
    );
  }

  #append(stream: Stream, lines: Buffer[]): void {
    if (lines.length === 0) return;
    const entries = lines.map((line) =>
      encodeEntry(line, stream, this.#nextNs(), this.#attributes),
    );
    this.#guarded(() => this.files.append(entries));
    this.#notify();
  }

  /** A full disk must not stop the container: output is dropped, and that is said once. */
  #guarded(operation: () => void): void {
    try {
      operation();
      this.#failing = false;
    } catch (error) {
      const fields = { path: this.#options.path, error: errorMessage(error) };
      if (!this.#failing) this.#options.logger.error(fields, 'container output cannot be kept');
      this.#failing = true;
    }
  }

  /** Finishes the append that the journal tells of, unless it was finished. */
  #redo(entry: JournalEntry): void {
    this.#splitters = {
      stdout: new LineSplitter(entry.pending.stdout),
      stderr: new LineSplitter(entry.pending.stderr),
    };
    const lines = this.#splitters[entry.stream].push(entry.chunk);
    const { inode, size } = this.files.position;
    // Another file: it was rotated by the append, which is then known to have begun a new one.
    if (inode !== entry.inode || size < entry.size) return;
    if (this.#linesAfter(entry.size) >= lines.length) return;
    this.files.truncate(entry.size);
    this.#append(entry.stream, lines);
  }

  #linesAfter(offset: number): number {
    try {
      const added = readFileSync(this.#options.path).subarray(offset);
      let lines = 0;
      for (let at = added.indexOf(NEWLINE); at >= 0; at = added.indexOf(NEWLINE, at + 1)) lines++;
      return lines;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return 0;
      throw error;
    }
  }

  /** Strictly growing, so that lines of one container keep their order wherever they are merged. */
  #nextNs(): bigint {
    const nowNs = BigInt(Math.floor(this.#options.clock.now() * 1000)) * 1000n;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    return this.#lastNs;
  }

  #notify(): void {
    for (const listener of this.#followers) listener();
  }
}
