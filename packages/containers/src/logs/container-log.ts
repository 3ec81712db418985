import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { Kernel } from '../linux/kernel.js';
import { encodeEntry } from './entry.js';
import { type JournalEntry, LogJournal, type LogState, STREAMS, type Stream } from './journal.js';
import { LineSplitter } from './line-splitter.js';
import { LogFiles } from './log-files.js';
import type { LogPolicy } from './options.js';
import type { LogShipper } from './remote/shipper.js';

export interface ContainerLogOptions {
  /** The json-file's path; side files lie next to it. */
  path: string;
  /** See {@link LogJournal}: best on a file system in memory. */
  journalPath: string;
  kernel: Kernel;
  policy: LogPolicy;
  /** Of the entries of a run that begins. */
  attributes: () => Record<string, string>;
  /** Makes the way to where entries go beside this log, for one run. */
  openShipper?: () => LogShipper | undefined;
  clock: Clock;
  logger: Logger;
}

/**
 * What a container prints, kept as Docker's json-file. Every chunk is in the kernel's cache when
 * `write` returns, also the beginning of a line whose end has not come: the next daemon goes on in
 * the middle of it. See {@link LogJournal} for how a kill between two steps is undone.
 */
export class ContainerLog {
  readonly policy: LogPolicy;
  readonly files: LogFiles;
  readonly #options: ContainerLogOptions;
  #attributes: string | undefined;
  #shipper: LogShipper | undefined;
  readonly #journal: LogJournal;
  #splitters: Record<Stream, LineSplitter>;
  readonly #followers = new Set<() => void>();
  #lastNs = 0n;
  #failing = false;
  #live = false;

  constructor(options: ContainerLogOptions) {
    this.policy = options.policy;
    this.#options = options;
    const { path, journalPath, kernel, policy } = options;
    this.files = new LogFiles({ path, ...policy.files });
    this.#journal = new LogJournal({ path: journalPath, kernel });
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
      this.files.packFull();
      void this.#closeShipper();
      this.#attributes = undefined;
    }
    this.#notify();
  }

  /** Lets go of the files; what is unfinished stays for the next daemon. */
  async release(): Promise<void> {
    this.files.close();
    this.#journal.close();
    await this.#closeShipper();
  }

  /** Whether the container is not to print more until `onRoom` calls back. */
  get holdsBack(): boolean {
    return this.#shipper?.holdsBack ?? false;
  }

  onRoom(listener: () => void): void {
    this.#shipper?.onRoom(listener);
  }

  /**
   * Where the next bytes of a stream are to be read to, so that no kill loses them, before they are
   * given to `write`; undefined when it is all the same.
   */
  inputBuffer(stream: Stream): Uint8Array | undefined {
    if (!this.policy.keeps) return undefined;
    return this.#guarded(() => this.#journal.area(stream, this.#state));
  }

  /** `chunk` is not read any more afterwards, and its bytes in the input buffer are not kept. */
  write(stream: Stream, chunk: Uint8Array): void {
    if (!this.#isWanted) return;
    this.#append(stream, this.#splitters[stream].push(chunk));
    if (this.policy.keeps) this.#commit(stream, chunk.length);
  }

  /** The end of a stream: its last line may lack the newline. */
  end(stream: Stream): void {
    const rest = this.#splitters[stream].flush();
    if (!rest || !this.#isWanted) return;
    this.#append(stream, [rest]);
    if (this.policy.keeps) this.#commit(stream, 0);
  }

  /** Calls back after each write and at the end, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  get #isWanted(): boolean {
    return this.policy.keeps || this.policy.remote !== undefined;
  }

  get #state(): LogState {
    const { stdout, stderr } = this.#splitters;
    return {
      pending: { stdout: stdout.pending, stderr: stderr.pending },
      ...this.files.position,
    };
  }

  #commit(stream: Stream, bytes: number): void {
    const isDone = this.#guarded(() => {
      this.#journal.commit(stream, bytes, this.#state);
      this.files.packFull();
      return true;
    });
    // What it says is not so any more. From here on a kill loses what is being worked on.
    if (!isDone) this.#journal.remove();
  }

  #append(stream: Stream, lines: Buffer[]): void {
    if (lines.length === 0) return;
    this.#attributes ??= attributesJson(this.#options.attributes());
    this.#shipper ??= this.#options.openShipper?.();
    const entries: string[] = [];
    for (const bytes of lines) {
      const timeNs = this.#nextNs();
      this.#shipper?.take({ bytes, stream, timeNs });
      if (this.policy.keeps) entries.push(encodeEntry(bytes, stream, timeNs, this.#attributes));
    }
    if (this.policy.keeps) this.#guarded(() => this.files.append(entries));
    this.#notify();
  }

  async #closeShipper(): Promise<void> {
    const shipper = this.#shipper;
    this.#shipper = undefined;
    await shipper?.close();
  }

  /** A full disk must not stop the container: output is dropped, and that is said once. */
  #guarded<T>(operation: () => T): T | undefined {
    try {
      const result = operation();
      this.#failing = false;
      return result;
    } catch (error) {
      const fields = { path: this.#options.path, error: errorMessage(error) };
      if (!this.#failing) this.#options.logger.error(fields, 'container output cannot be kept');
      this.#failing = true;
      return undefined;
    }
  }

  /** Finishes the append that a kill may have come before, or into. */
  #redo(entry: JournalEntry): void {
    this.#splitters = {
      stdout: new LineSplitter(entry.pending.stdout),
      stderr: new LineSplitter(entry.pending.stderr),
    };
    for (const stream of STREAMS) {
      const lines = this.#splitters[stream].push(entry.chunks[stream]);
      if (lines.length === 0) continue;
      const done = this.files.entriesSince(entry);
      if (done !== undefined) this.#append(stream, lines.slice(done));
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

function attributesJson(attributes: Record<string, string>): string {
  return Object.keys(attributes).length > 0 ? JSON.stringify(attributes) : '';
}
