/**
 * Lets at most a fixed number of pieces of work run at once; the others wait in the order they came, those
 * that come first before all others. The number of waiters is that of the node's tasks, each of which does
 * one thing at a time.
 */
export class Slots {
  readonly #first: (() => void)[] = [];
  readonly #others: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** Runs `work` when a slot is free. Rejects with the signal's reason when that aborts while waiting. */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, comesFirst = false): Promise<T> {
    await this.#take(signal, comesFirst ? this.#first : this.#others);
    try {
      return await work();
    } finally {
      this.#give();
    }
  }

  #take(signal: AbortSignal, waiting: (() => void)[]): Promise<void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const granted = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      const onAbort = () => {
        waiting.splice(waiting.indexOf(granted), 1);
        reject(signal.reason);
      };
      waiting.push(granted);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #give(): void {
    const next = this.#first.shift() ?? this.#others.shift();
    if (next) next();
    else this.#free++;
  }
}
