import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type Clock, errorMessage, hasErrno, type Logger } from '@skep/platform';
import { encodeEntry } from './entry.js';
import { LineSplitter } from './line-splitter.js';
import { LogFiles } from './log-files.js';
import type { LogPolicy } from './options.js';

type Stream = 'stdout' | 'stderr';

export interface ContainerLogOptions {
  /** The json-file's path; side files lie next to it. */
  path: string;
  policy: LogPolicy;
  attributes: Record<string, string>;
  clock: Clock;
  logger: Logger;
}

/**
 * What a container prints, kept as Docker's json-file. Every chunk is on its way to the disk when `write`
 * returns. A line without newline yet is kept in a small file beside the log, so that the next daemon
 * goes on in the middle of the line.
 */
export class ContainerLog {
  readonly policy: LogPolicy;
  readonly files: LogFiles;
  readonly #path: string;
  readonly #attributes: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #splitters: Record<Stream, LineSplitter>;
  readonly #followers = new Set<() => void>();
  #lastNs = 0n;
  #failing = false;
  #live = false;

  constructor(options: ContainerLogOptions) {
    this.policy = options.policy;
    this.#path = options.path;
    this.#clock = options.clock;
    this.#logger = options.logger;
    const { fileBytesMax, files } = options.policy;
    this.files = new LogFiles({ path: options.path, fileBytesMax, files });
    const attributes = options.attributes;
    this.#attributes = Object.keys(attributes).length > 0 ? JSON.stringify(attributes) : '';
    this.#splitters = {
      stdout: new LineSplitter(this.#readPartial('stdout')),
      stderr: new LineSplitter(this.#readPartial('stderr')),
    };
  }

  /** Whether more may come: what a follower waits for. */
  get live(): boolean {
    return this.#live;
  }

  /** Between the start of a container and the end of its streams. */
  setLive(live: boolean): void {
    this.#live = live;
    if (!live) this.files.close();
    this.#notify();
  }

  write(stream: Stream, chunk: Uint8Array): void {
    if (!this.policy.keeps) return;
    const splitter = this.#splitters[stream];
    const hadPending = splitter.pending.length > 0;
    this.#append(stream, splitter.push(chunk));
    if (splitter.pending.length > 0 || hadPending) this.#writePartial(stream, splitter.pending);
  }

  /** The end of a stream: its last line may lack the newline. */
  end(stream: Stream): void {
    const rest = this.#splitters[stream].flush();
    if (!rest || !this.policy.keeps) return;
    this.#append(stream, [rest]);
    this.#writePartial(stream, new Uint8Array());
  }

  /** Calls back after each write and at the end, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  #append(stream: Stream, lines: Buffer[]): void {
    if (lines.length === 0) return;
    const text = lines
      .map((line) => encodeEntry(line, stream, this.#nextNs(), this.#attributes))
      .join('');
    try {
      this.files.append(Buffer.from(text));
      this.#failing = false;
    } catch (error) {
      // A full disk must not stop the container: output is dropped, and that is said once.
      if (!this.#failing) {
        const fields = { path: this.#path, error: errorMessage(error) };
        this.#logger.error(fields, 'container output cannot be kept');
      }
      this.#failing = true;
    }
    this.#notify();
  }

  /** Strictly growing, so that lines of one container keep their order wherever they are merged. */
  #nextNs(): bigint {
    const nowNs = BigInt(Math.floor(this.#clock.now() * 1000)) * 1000n;
    this.#lastNs = nowNs > this.#lastNs ? nowNs : this.#lastNs + 1n;
    return this.#lastNs;
  }

  #notify(): void {
    for (const listener of this.#followers) listener();
  }

  #partialPath(stream: Stream): string {
    return `${this.#path}.${stream}-partial`;
  }

  #readPartial(stream: Stream): Uint8Array {
    if (!this.policy.keeps) return new Uint8Array();
    try {
      return readFileSync(this.#partialPath(stream));
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return new Uint8Array();
      throw error;
    }
  }

  #writePartial(stream: Stream, bytes: Uint8Array): void {
    try {
      if (bytes.length === 0) rmSync(this.#partialPath(stream), { force: true });
      else writeFileSync(this.#partialPath(stream), bytes, { mode: 0o640 });
    } catch (error) {
      this.#logger.warn({ path: this.#path, error: errorMessage(error) }, 'partial line not kept');
    }
  }
}
