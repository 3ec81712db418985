import { must } from '../engine/index.js';

/**
 * What each member has promised to hold (Raft, figure 3: leader completeness): once it acknowledged a committed
 * entry, its log reaches that far for ever.
 */
export class Holdings {
  readonly #promised = new Map<bigint, bigint>();
  #committed = { index: 0n, term: 0n };

  /** An entry is committed, by a leader of `term` or of an earlier one. */
  committed(index: bigint, term: bigint): void {
    if (index > this.#committed.index) this.#committed = { index, term };
  }

  /** A member acknowledges all up to `index` to the leader of `term`, who holds everything committed before. */
  acknowledged(member: bigint, term: bigint, index: bigint): void {
    const { index: committed, term: committedIn } = this.#committed;
    if (term < committedIn) return;
    const promised = index < committed ? index : committed;
    if (promised > (this.#promised.get(member) ?? 0n)) this.#promised.set(member, promised);
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
