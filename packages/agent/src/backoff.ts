import type { Random } from '@skep/platform';

export interface BackoffOptions {
  baseMs: number;
  maxMs: number;
}

/** SwarmKit's reconnection delays: b <- base + 2 b, at most max, each drawn from [0, b). */
export class Backoff {
  readonly #baseMs: number;
  readonly #random: Random;
  #boundMs = 0;
  /** Longest delay from the next one on. */
  maxMs: number;

  constructor({ baseMs, maxMs }: BackoffOptions, random: Random) {
    this.#baseMs = baseMs;
    this.maxMs = maxMs;
    this.#random = random;
  }

  /** The delay before the next attempt, in ms. */
  next(): number {
    this.#boundMs = Math.min(this.#baseMs + 2 * this.#boundMs, this.maxMs);
    return this.#random.float() * this.#boundMs;
  }

  reset(): void {
    this.#boundMs = 0;
  }
}
