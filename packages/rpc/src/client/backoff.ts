import type { Random } from '@skep/platform';
import { BACKOFF_FACTOR, BACKOFF_JITTER, BACKOFF_MAX_MS, BACKOFF_MIN_MS } from '../limits.js';

/**
 * Pauses between failed attempts: each longer than the last, up to a limit, never quite the same.
 */
export class Backoff {
  readonly #random: Random;
  #nextMs = BACKOFF_MIN_MS;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How long to pause after a failure, ms. */
  afterFailureMs(): number {
    const jitter = 1 + BACKOFF_JITTER * (2 * this.#random.float() - 1);
    const pauseMs = this.#nextMs * jitter;
    this.#nextMs = Math.min(BACKOFF_MAX_MS, this.#nextMs * BACKOFF_FACTOR);
    return pauseMs;
  }

  reset(): void {
    this.#nextMs = BACKOFF_MIN_MS;
  }
}
