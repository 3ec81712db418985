import { AWARENESS_MAX } from '../../limits.js';

/**
 * How much a node doubts that it is well itself (Lifeguard): 0 is well. In doubt it gives others more time.
 */
export class Awareness {
  #score = 0;

  get score(): number {
    return this.#score;
  }

  change(by: number): void {
    this.#score = Math.min(Math.max(0, this.#score + by), AWARENESS_MAX - 1);
  }

  scale(timeoutMs: number): number {
    return timeoutMs * (this.#score + 1);
  }
}
