import { must } from '../engine/index.js';

/**
 * What each member has promised to hold (Raft, figure 3: leader completeness): once it acknowledged a committed
 * entry, its log reaches that far for ever.
 */
export class Holdings {
  readonly #promised = new Map<bigint, bigint>();
  readonly #acknowledged = new Map<bigint, { term: bigint; index: bigint }>();
  #committed = { index: 0n, term: 0n };

  /** An entry is committed, by a leader of `term` or of an earlier one. */
  committed(index: bigint, term: bigint): void {
    if (index <= this.#committed.index) return;
    this.#committed = { index, term };
    for (const member of this.#acknowledged.keys()) this.#settle(member);
  }

  /** A member acknowledges all up to `index` to the leader of `term`, who holds everything committed before. */
  acknowledged(member: bigint, term: bigint, index: bigint): void {
    const before = this.#acknowledged.get(member);
    if (before && (before.term > term || (before.term === term && before.index >= index))) return;
    this.#acknowledged.set(member, { term, index });
    this.#settle(member);
  }

  /** What was acknowledged to an earlier leader may yet be replaced. */
  #settle(member: bigint): void {
    const { term, index } = this.#acknowledged.get(member) ?? { term: 0n, index: 0n };
    if (term < this.#committed.term) return;
    const promised = index < this.#committed.index ? index : this.#committed.index;
    if (promised > this.#promisedBy(member)) this.#promised.set(member, promised);
  }

  /** A member asks for votes with a log that ends at `lastIndex`. */
  campaigns(member: bigint, lastIndex: bigint): void {
    this.#check(lastIndex >= this.#promisedBy(member), member, `now ends at ${lastIndex}`);
  }

  /** A member tells the leader of its term that it does not hold the leader's entry at `index`. */
  refuses(member: bigint, index: bigint): void {
    this.#check(index > this.#promisedBy(member), member, `does not know that at ${index}`);
  }

  #promisedBy(member: bigint): bigint {
    return this.#promised.get(member) ?? 0n;
  }

  #check(isHeld: boolean, member: bigint, what: string): void {
    const promised = this.#promisedBy(member);
    must(
      isHeld,
      'acknowledged-stays',
      () => `${member} acknowledged the committed entry ${promised}, and ${what}`,
    );
  }
}
