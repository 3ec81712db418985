import type { Random } from '@skep/platform';

export interface ExponentialBackoffOptions {
  baseMs: number;
  factorMs: number;
  maxMs: number;
}

/** 2^n stays a whole number, and past any maximum, up to here. */
const DOUBLINGS_MAX = 30;

/**
 * Delays that double with each failure: uniform in [0, base + factor * 2^n), n = 0 at the first.
 */
export class ExponentialBackoff {
  readonly #options: ExponentialBackoffOptions;
  readonly #random: Random;
  #failures = 0;

  constructor(options: ExponentialBackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** The delay after another failure, ms. */
  next(): number {
    const { baseMs, factorMs, maxMs } = this.#options;
    const boundMs = Math.min(maxMs, baseMs + factorMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, DOUBLINGS_MAX);
    return this.#random.float() * boundMs;
  }

  reset(): void {
    this.#failures = 0;
  }
}
