/** Thrown into the reader of a queue whose writer was faster than its bound allows. */
export class QueueOverflowError extends Error {
  constructor(limit: number) {
    super(`reader too slow: more than ${limit} items waiting`);
    this.name = 'QueueOverflowError';
  }
}

/**
 * A bounded queue between a writer that cannot wait and one asynchronous reader. When the bound is passed
 * the queue fails: a reader that fell behind gets an error instead of a gap or of unbounded memory.
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #limit: number;
  #items: T[] = [];
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Adds an item; false when the queue has ended (closed, failed or overflowed). */
  push(item: T): boolean {
    if (this.#ended) return false;
    if (this.#items.length >= this.#limit) {
      this.#items = [];
      this.end(new QueueOverflowError(this.#limit));
      return false;
    }
    this.#items.push(item);
    this.#wakeReader();
    return true;
  }

  /** Ends the stream after the items already in it; with an error, the reader throws it then. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#wakeReader();
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = undefined;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      for (;;) {
        const items = this.#items;
        this.#items = [];
        yield* items;
        if (this.#items.length > 0) continue;
        if (this.#ended) {
          if (this.#error !== undefined) throw this.#error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.end();
    }
  }
}
