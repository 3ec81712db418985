import { Code, RpcError } from '@skep/platform';
import { OPERATIONS_PER_CONTAINER_MAX } from '../limits.js';

/**
 * Runs operations one after the other, in the order they came. A failed one does not hold up the
 * next.
 */
export class OperationQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#waiting >= OPERATIONS_PER_CONTAINER_MAX) {
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'too many operations wait for this container');
    }
    this.#waiting++;
    const result = this.#tail.then(operation).finally(() => this.#waiting--);
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Resolves when everything asked for before is done. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}

/** Lets a bounded number of operations run at once; the others wait their turn. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await operation();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
