import type { ProgressMessage } from '../contract/engine.js';

/**
 * Messages from one worker to one reader who may be slow. Ticks of one layer replace each other
 * while they wait, so what waits is bounded by layers times states, not by time.
 */
export class ProgressChannel implements AsyncIterable<ProgressMessage> {
  readonly #waiting = new Map<string, ProgressMessage>();
  #order = 0;
  #ended = false;
  #error: unknown;
  #wake: () => void = () => {};

  push(message: ProgressMessage): void {
    if (this.#ended) return;
    const isTick = message.id !== undefined && message.progressDetail?.current !== undefined;
    const key = isTick ? `${message.id} ${message.status}` : `#${this.#order++}`;
    this.#waiting.set(key, message);
    this.#wake();
  }

  /** Ends the stream after what waits; with an error, the reader throws it then. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ProgressMessage> {
    for (;;) {
      for (const [key, message] of this.#waiting) {
        this.#waiting.delete(key);
        yield message;
      }
      if (this.#waiting.size > 0) continue;
      if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
