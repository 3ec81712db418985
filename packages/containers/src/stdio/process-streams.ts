import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@skep/platform';
import type { ProcessIo } from '../containerd/types.js';
import type { OutputChunk, StreamSession } from '../contract/engine.js';
import { STREAM_DRAIN_MS } from '../limits.js';
import type { Kernel } from '../linux/kernel.js';
import { ChunkQueue } from './chunk-queue.js';
import { FifoReader } from './fifo-reader.js';
import { StdinWriter } from './stdin-writer.js';

type Stream = 'stdout' | 'stderr';
const FIFO_MODE = 0o600;

export interface ProcessIoOptions {
  /** Holds the pipes; made and removed here. */
  directory: string;
  stdin: boolean;
  terminal: boolean;
  kernel: Kernel;
  clock: Clock;
  /** Where a stream is to be read to, if that is no matter of indifference. */
  bufferOf?: (stream: Stream) => Uint8Array | undefined;
  /** Called in the turn in which the bytes were read; they are only good until it returns. */
  onChunk?: (stream: Stream, chunk: Uint8Array) => void;
  onStreamEnd?: (stream: Stream) => void;
  /** Who takes the chunks and may ask for no more of them for a while. */
  brake?: OutputBrake;
  /** Tells the runtime to end the process's input. */
  closeRemoteInput: () => Promise<void>;
}

export interface OutputBrake {
  readonly holdsBack: boolean;
  /** Calls back once when there is no need to wait any more. */
  onRoom(listener: () => void): void;
}

/**
 * The streams of one run of one process, and the clients attached to it. The pipes are named, so
 * that the shim keeps its ends when this daemon dies and the next one goes on reading where it
 * stopped.
 */
export class ProcessStreams {
  readonly #options: ProcessIoOptions;
  readonly #sessions = new Set<ChunkQueue>();
  readonly #readers = new Map<Stream, FifoReader>();
  readonly #open = new Set<Stream>();
  readonly #ended: Promise<void>;
  readonly #opened: Promise<void>;
  #resolveEnded: () => void = () => {};
  #resolveOpened: () => void = () => {};
  readonly #started: Promise<void>;
  #resolveStarted: () => void = () => {};
  #stdin: StdinWriter | undefined;
  #stdinClosed = false;
  #isBraked = false;

  constructor(options: ProcessIoOptions) {
    this.#options = options;
    this.#ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#opened = new Promise((resolve) => {
      this.#resolveOpened = resolve;
    });
    this.#started = new Promise((resolve) => {
      this.#resolveStarted = resolve;
    });
  }

  /** Paths for the runtime. */
  get io(): Required<ProcessIo> {
    const { directory, stdin, terminal } = this.#options;
    return {
      stdin: stdin ? join(directory, 'stdin') : '',
      stdout: join(directory, 'stdout'),
      stderr: terminal ? '' : join(directory, 'stderr'),
      terminal,
    };
  }

  /**
   * Makes the pipes (those of a running process are kept) and starts to read. Before Tasks.Create.
   */
  open(): void {
    const { directory, kernel } = this.#options;
    const { stdin, stdout, stderr } = this.io;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const path of [stdin, stdout, stderr]) {
      if (path !== '') kernel.makeFifo(path, FIFO_MODE);
    }
    if (stdin !== '') this.#stdin = new StdinWriter(kernel, stdin);
    this.#read('stdout', stdout);
    if (stderr !== '') this.#read('stderr', stderr);
    this.#resolveOpened();
  }

  /** The process runs: from here on the runtime can be told to end its input. */
  markStarted(): void {
    this.#resolveStarted();
  }

  #read(stream: Stream, path: string): void {
    this.#open.add(stream);
    const reader = new FifoReader({
      kernel: this.#options.kernel,
      path,
      buffer: this.#options.bufferOf?.(stream),
      onChunk: (chunk) => this.#receive(stream, chunk),
      onEnd: () => this.#streamEnded(stream),
    });
    this.#readers.set(stream, reader);
  }

  #receive(stream: Stream, chunk: Uint8Array): void {
    const data = this.#sessions.size > 0 ? Uint8Array.from(chunk) : undefined;
    this.#options.onChunk?.(stream, chunk);
    if (this.#options.brake?.holdsBack) this.#waitForRoom(this.#options.brake);
    if (!data) return;
    const copy: OutputChunk = { stream, data };
    for (const session of this.#sessions) session.push(copy);
    if (this.#anySessionFull()) for (const reader of this.#readers.values()) reader.pause();
  }

  #waitForRoom(brake: OutputBrake): void {
    if (this.#isBraked) return;
    this.#isBraked = true;
    for (const reader of this.#readers.values()) reader.pause();
    brake.onRoom(() => {
      this.#isBraked = false;
      this.#resumeIfFree();
    });
  }

  #resumeIfFree(): void {
    if (this.#isBraked || this.#anySessionFull()) return;
    for (const reader of this.#readers.values()) reader.resume();
  }

  #anySessionFull(): boolean {
    return [...this.#sessions].some((session) => session.full);
  }

  #streamEnded(stream: Stream): void {
    this.#options.onStreamEnd?.(stream);
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    this.#resolveEnded();
  }

  /**
   * A client's connection, possibly before the process starts: its input then waits for the start.
   * Streams it did not ask for are left out.
   */
  attach(wanted: { stdin: boolean; stdout: boolean; stderr: boolean }): StreamSession {
    const queue = new ChunkQueue(() => this.#sessionDrained(queue));
    if (wanted.stdout || wanted.stderr) this.#sessions.add(queue);
    return {
      output: selectStreams(queue, wanted),
      write: async (data) => {
        if (!wanted.stdin) return;
        await this.#opened;
        await this.#stdin?.write(data);
      },
      closeInput: async () => {
        if (wanted.stdin) await this.closeInput();
      },
      detach: () => queue.discard(),
    };
  }

  #sessionDrained(queue: ChunkQueue): void {
    if (queue.ended) this.#sessions.delete(queue);
    this.#resumeIfFree();
  }

  /** The process reads end of file after what was written. Twice is once. */
  async closeInput(): Promise<void> {
    if (this.#stdinClosed || !this.#options.stdin) return;
    this.#stdinClosed = true;
    // Until the shim has the pipe open, ours is its only end: closing it would lose what was written. And
    // the shim holds a writing end of its own, which it can only be told to close once it is there.
    await this.#started;
    await this.#stdin?.end();
    await this.#options.closeRemoteInput().catch(() => {}); // the process may have ended
  }

  /**
   * After the process ended: resolves when all it printed was handed on. A child of it that keeps a
   * stream open is not waited for beyond a bound.
   */
  async drain(): Promise<void> {
    const limit = new AbortController();
    const timeout = this.#options.clock.sleep(STREAM_DRAIN_MS, limit.signal).then(
      () => {
        for (const reader of this.#readers.values()) reader.finish();
      },
      () => {},
    );
    await Promise.race([this.#ended, timeout]);
    limit.abort();
    await this.#ended;
    this.#finish();
  }

  /** The process never ran, or its run is over: ends sessions and removes the pipes. */
  #finish(): void {
    this.#resolveOpened();
    this.#resolveStarted();
    this.#stdin?.destroy();
    this.#stdin = undefined;
    for (const session of this.#sessions) session.end();
    this.#sessions.clear();
    rmSync(this.#options.directory, { recursive: true, force: true });
  }

  /** For a process that could not be started. */
  discard(): void {
    this.release();
    this.#finish();
  }

  /** The daemon goes, the process stays: pipes are left as they are. */
  release(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#stdin?.destroy();
  }
}

async function* selectStreams(
  chunks: AsyncIterable<OutputChunk>,
  wanted: { stdout: boolean; stderr: boolean },
): AsyncGenerator<OutputChunk> {
  for await (const chunk of chunks) {
    if (wanted[chunk.stream]) yield chunk;
  }
}
