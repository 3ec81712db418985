import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { hasErrno } from '@skep/platform';
import { STREAM_CHUNK_BYTES } from '../limits.js';
import type { Kernel } from '../linux/kernel.js';

/**
 * Every chunk is used up in the turn in which it is read, so one buffer serves all pipes that bring
 * none of their own.
 */
const sharedBuffer = Buffer.alloc(STREAM_CHUNK_BYTES);

/**
 * The read end of a named pipe. It is opened without blocking and polled by the event loop: a plain
 * `fs.read` would hold one of libuv's four threads for as long as a container is silent.
 */
export class FifoReader {
  readonly #onChunk: (chunk: Uint8Array) => void;
  readonly #onEnd: () => void;
  readonly #path: string;
  readonly #buffer: Uint8Array;
  #socket: Socket | undefined;
  #paused = false;
  #ended = false;

  constructor(options: {
    kernel: Kernel;
    path: string;
    /** What is read is put at its beginning. */
    buffer?: Uint8Array | undefined;
    /** The bytes are only good until it returns. */
    onChunk: (chunk: Uint8Array) => void;
    /** All writers are gone, or {@link FifoReader.finish} was called. Called once. */
    onEnd: () => void;
  }) {
    this.#path = options.path;
    this.#buffer = options.buffer ?? sharedBuffer;
    this.#onChunk = options.onChunk;
    this.#onEnd = options.onEnd;
    const file = options.kernel.openFifo(options.path, 'read');
    const onread = {
      buffer: this.#buffer,
      callback: (length: number) => this.#receive(length),
    };
    // Node takes `onread` here as well as in `connect`; its type only knows the latter.
    const socketOptions: SocketConstructorOpts & { onread: typeof onread } = {
      fd: file,
      readable: true,
      writable: false,
      onread,
    };
    this.#socket = new Socket(socketOptions);
    this.#socket.on('close', () => this.#end());
    this.#socket.on('error', () => this.#end());
    this.#socket.resume();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket?.resume();
  }

  /** Takes what is in the pipe now and ends, whoever may still hold the other end. */
  finish(): void {
    if (this.#ended) return;
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#drain();
    this.#end();
  }

  /** Lets go without taking anything more. */
  close(): void {
    this.#ended = true;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  #receive(length: number): boolean {
    this.#onChunk(this.#buffer.subarray(0, length));
    return !this.#paused;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket = undefined;
    this.#onEnd();
  }

  #drain(): void {
    const file = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      for (;;) {
        const length = readSync(file, this.#buffer);
        if (length === 0) return;
        this.#onChunk(this.#buffer.subarray(0, length));
      }
    } catch (error) {
      if (!hasErrno(error, 'EAGAIN')) throw error;
    } finally {
      closeSync(file);
    }
  }
}
