/**
 * A bounded queue between writers that can wait and one reader: a slow reader slows its writers down.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #limit: number;
  readonly #items: T[] = [];
  readonly #writers: (() => void)[] = [];
  #wakeReader: (() => void) | undefined;
  #closed = false;
  #error: unknown;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds an item once there is room; false when the channel is closed and the item lost. */
  async send(item: T): Promise<boolean> {
    while (this.#items.length >= this.#limit && !this.#closed) {
      await new Promise<void>((resolve) => void this.#writers.push(resolve));
    }
    if (this.#closed) return false;
    this.#items.push(item);
    this.#wakeReader?.();
    return true;
  }

  /** Ends the stream after what is in it; with an error, the reader throws it then. */
  close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#wakeReader?.();
    for (const wake of this.#writers.splice(0)) wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item !== undefined) {
          this.#writers.shift()?.();
          yield item;
        } else if (this.#closed) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
      }
    } finally {
      this.close();
    }
  }
}
