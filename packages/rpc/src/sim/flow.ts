/** Messages of a call that one side may send before the other has read some of them. */
export const WINDOW_MESSAGES = 16;

/** What came in on a call, for its one reader. */
export class Inbox {
  readonly #onTaken: () => void;
  readonly #items: Uint8Array[] = [];
  #end: { error: (() => Error) | undefined } | undefined;
  #wake: (() => void) | undefined;

  /** @param onTaken called for each message that was read */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  push(message: Uint8Array): void {
    if (this.#end) return;
    this.#items.push(message);
    this.#wake?.();
  }

  /** No more comes; what waits is read first. */
  end(error?: Error): void {
    this.#end ??= { error: error && (() => error) };
    this.#wake?.();
  }

  /** No more comes and what waits is dropped: the call was cut off. */
  cutOff(error: () => Error): void {
    this.#items.length = 0;
    this.#end = { error };
    this.#wake?.();
  }

  async *read(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const item = this.#items.shift();
      if (item) {
        this.#onTaken();
        yield item;
      } else if (this.#end) {
        if (this.#end.error) throw this.#end.error();
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/** How many messages may still be sent. */
export class SendWindow {
  #free = WINDOW_MESSAGES;
  #wake: (() => void) | undefined;

  /** Counts a message; a promise of room for the next when it was the last that fits. */
  take(): Promise<void> | undefined {
    if (--this.#free > 0) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The other side read one. */
  credit(): void {
    this.#free++;
    this.open();
  }

  /** Whoever waits need not any longer. */
  open(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
