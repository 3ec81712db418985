import type { Random } from '@skep/platform';

export interface BackoffOptions {
  baseMs: number;
  maxMs: number;
}

/** SwarmKit's reconnection delays: b <- base + 2 b, at most max, each drawn from [0, b). */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #boundMs = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** The delay before the next attempt, in ms. */
  next(): number {
    this.#boundMs = Math.min(this.#options.baseMs + 2 * this.#boundMs, this.#options.maxMs);
    return this.#random.float() * this.#boundMs;
  }

  reset(): void {
    this.#boundMs = 0;
  }
}
