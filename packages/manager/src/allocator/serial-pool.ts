import { invariant } from '@skep/platform';

/**
 * Numbers of a range, handed out in rising order. A number given back is not given out again before the
 * end of the range was reached, so that whoever still remembers its last holder is not led astray.
 */
export class SerialPool {
  readonly #first: number;
  readonly #last: number;
  readonly #held = new Set<number>();
  #next: number;

  constructor(first: number, last: number) {
    invariant(first <= last, 'an empty pool', { first, last });
    this.#first = first;
    this.#last = last;
    this.#next = first;
  }

  /** Takes the next free number; undefined when all are held. */
  take(): number | undefined {
    const size = this.#last - this.#first + 1;
    if (this.#held.size >= size) return undefined;
    while (this.#held.has(this.#next)) this.#advance(this.#next);
    const taken = this.#next;
    this.#held.add(taken);
    this.#advance(taken);
    return taken;
  }

  /** Takes this number; false when it is held or outside of the range. */
  claim(number: number): boolean {
    if (number < this.#first || number > this.#last || this.#held.has(number)) return false;
    this.#held.add(number);
    return true;
  }

  release(number: number): void {
    this.#held.delete(number);
  }

  /** Goes on after the highest number held: where a pool built anew from its holders should start. */
  resume(): void {
    let highest = this.#first - 1;
    for (const number of this.#held) highest = Math.max(highest, number);
    this.#advance(highest);
  }

  /** What is held, in rising order. */
  held(): number[] {
    return [...this.#held].sort((a, b) => a - b);
  }

  #advance(from: number): void {
    this.#next = from >= this.#last ? this.#first : from + 1;
  }
}
