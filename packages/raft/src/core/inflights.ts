import { invariant } from '@skep/platform';

/** Last indexes of the appends under way to one follower, in order, in a ring of fixed size. */
export class Inflights {
  readonly #ring: bigint[];
  readonly #max: number;
  #start = 0;
  #count = 0;

  constructor(max: number) {
    invariant(max > 0, 'at least one append must be allowed under way', { max });
    this.#max = max;
    this.#ring = [];
  }

  get isFull(): boolean {
    return this.#count === this.#max;
  }

  get count(): number {
    return this.#count;
  }

  add(lastIndex: bigint): void {
    invariant(!this.isFull, 'too many appends under way');
    this.#ring[(this.#start + this.#count) % this.#max] = lastIndex;
    this.#count++;
  }

  /** Everything up to `index` has arrived. */
  freeUpTo(index: bigint): void {
    while (this.#count > 0 && this.#ring[this.#start]! <= index) this.freeFirst();
  }

  /** Gives room for one more: the first may be lost. */
  freeFirst(): void {
    if (this.#count === 0) return;
    this.#start = (this.#start + 1) % this.#max;
    this.#count--;
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
  }
}
