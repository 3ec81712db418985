import { invariant } from '@skep/platform';

export interface NumberRange {
  first: number;
  last: number;
}

/**
 * Numbers of a range, handed out in rising order. A number given back is not given out again before the
 * end of the range was reached, so that whoever still remembers its last holder is not led astray.
 */
export class SerialPool {
  readonly #claimable: NumberRange;
  readonly #given: NumberRange;
  readonly #held = new Set<number>();
  /** How many of those held lie in the range that is handed out. */
  #heldOfGiven = 0;
  #next: number;

  /** `given` is handed out; any number of `claimable`, which holds it, may be asked for by name. */
  constructor(given: NumberRange, claimable: NumberRange = given) {
    invariant(given.first <= given.last, 'an empty pool', given);
    invariant(
      covers(claimable, given.first) && covers(claimable, given.last),
      'a part of it',
      given,
    );
    this.#given = given;
    this.#claimable = claimable;
    this.#next = given.first;
  }

  /** How many numbers are handed out at most. */
  get size(): number {
    return this.#given.last - this.#given.first + 1;
  }

  /** How many of them are held. */
  get inUse(): number {
    return this.#heldOfGiven;
  }

  /** Takes the next free number; undefined when all are held. */
  take(): number | undefined {
    if (this.inUse >= this.size) return undefined;
    while (this.#held.has(this.#next)) this.#advance(this.#next);
    const taken = this.#next;
    this.#hold(taken);
    this.#advance(taken);
    return taken;
  }

  /** Takes this number; false when it is held or cannot be had here. */
  claim(number: number): boolean {
    if (!covers(this.#claimable, number) || this.#held.has(number)) return false;
    this.#hold(number);
    return true;
  }

  release(number: number): void {
    if (this.#held.delete(number) && covers(this.#given, number)) this.#heldOfGiven--;
  }

  /** Goes on after the highest number held: where a pool built anew from its holders should start. */
  resume(): void {
    let highest = this.#given.first - 1;
    for (const number of this.#held) {
      if (covers(this.#given, number)) highest = Math.max(highest, number);
    }
    this.#advance(highest);
  }

  #hold(number: number): void {
    this.#held.add(number);
    if (covers(this.#given, number)) this.#heldOfGiven++;
  }

  #advance(from: number): void {
    this.#next = from >= this.#given.last ? this.#given.first : from + 1;
  }
}

function covers({ first, last }: NumberRange, number: number): boolean {
  return number >= first && number <= last;
}
