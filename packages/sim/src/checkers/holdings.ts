import { must } from '../engine/index.js';

/**
 * What each member has promised to hold (Raft, figure 3: leader completeness): once it acknowledged a committed
 * entry, every log it asks votes for reaches that far.
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
    const promised = this.#promised.get(member) ?? 0n;
    must(
      lastIndex >= promised,
      'acknowledged-stays',
      () => `${member} acknowledged the committed entry ${promised}, and now ends at ${lastIndex}`,
    );
  }
}
