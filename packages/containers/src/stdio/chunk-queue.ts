import type { OutputChunk } from '../contract/engine.js';
import { SESSION_BACKLOG_BYTES } from '../limits.js';

/**
 * Output on its way to one attached client. It never drops: when more than the backlog waits,
 * `full` says so and the source is to pause until `onDrained` is called.
 */
export class ChunkQueue implements AsyncIterable<OutputChunk> {
  readonly #onDrained: () => void;
  #chunks: OutputChunk[] = [];
  #bytes = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(onDrained: () => void) {
    this.#onDrained = onDrained;
  }

  get full(): boolean {
    return !this.#ended && this.#bytes > SESSION_BACKLOG_BYTES;
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(chunk: OutputChunk): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.data.length;
    this.#wakeReader();
  }

  /** Ends after what is queued. */
  end(): void {
    this.#ended = true;
    this.#wakeReader();
    this.#onDrained();
  }

  /** Ends at once: nobody reads any more. */
  discard(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.end();
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<OutputChunk> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          const wasFull = this.full;
          this.#bytes -= chunk.data.length;
          if (wasFull && !this.full) this.#onDrained();
          yield chunk;
          continue;
        }
        if (this.#ended) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.discard();
    }
  }
}
