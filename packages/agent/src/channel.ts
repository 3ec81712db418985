/**
 * A bounded pipe between several writers that can wait and one asynchronous reader. When the reader leaves
 * or the channel is closed, writers are told with `false`.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  #closed = false;
  #readerWake: (() => void) | undefined;
  #writerWakes: (() => void)[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Resolves when the item is in; false when nobody will read it. */
  async send(item: T): Promise<boolean> {
    while (!this.#closed && this.#items.length >= this.#capacity) {
      await new Promise<void>((resolve) => this.#writerWakes.push(resolve));
    }
    if (this.#closed) return false;
    this.#items.push(item);
    this.#wakeReader();
    return true;
  }

  /** No more items; the reader gets those already in. */
  close(): void {
    this.#closed = true;
    this.#wakeReader();
    this.#wakeWriters();
  }

  /** Up to `max` items, at least one; empty when the channel is closed and drained. */
  async receive(max: number): Promise<T[]> {
    while (this.#items.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#readerWake = resolve;
      });
    }
    const items = this.#items.splice(0, max);
    this.#wakeWriters();
    return items;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    try {
      for (;;) {
        const [item] = await this.receive(1);
        if (item === undefined) return;
        yield item;
      }
    } finally {
      this.close();
    }
  }

  #wakeReader(): void {
    this.#readerWake?.();
    this.#readerWake = undefined;
  }

  #wakeWriters(): void {
    const wakes = this.#writerWakes;
    this.#writerWakes = [];
    for (const wake of wakes) wake();
  }
}
