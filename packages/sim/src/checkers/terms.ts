import { must } from '../engine/index.js';

/** One leader acts in a term, and nobody votes twice in one (Raft, figure 3: election safety). */
export class TermChecker {
  readonly #leaders = new Map<bigint, string>();
  readonly #votes = new Map<string, string>();
  readonly #terms = new Map<string, bigint>();
  #highest = 0n;

  /** The highest term that anyone was seen to lead in. */
  get highest(): bigint {
    return this.#highest;
  }

  /** `machine` leads in `term`. */
  leads(machine: string, term: bigint): void {
    const other = this.#leaders.get(term);
    must(
      other === undefined || other === machine,
      'one-leader',
      () => `${other} and ${machine} both lead in term ${term}`,
    );
    this.#leaders.set(term, machine);
    if (term > this.#highest) this.#highest = term;
  }

  /** `voter` tells `candidate` that it has its vote in `term`. */
  votes(voter: bigint, term: bigint, candidate: bigint): void {
    const key = `${voter}/${term}`;
    const other = this.#votes.get(key) ?? String(candidate);
    must(
      other === String(candidate),
      'one-vote',
      () => `${voter} votes for ${other} and for ${candidate} in term ${term}`,
    );
    this.#votes.set(key, other);
  }

  /** A member's term, which outlives its restarts. `member` is one disk's, from its first start on. */
  termOf(member: string, term: bigint): void {
    const before = this.#terms.get(member) ?? 0n;
    must(
      term >= before,
      'term-goes-on',
      () => `${member} went from term ${before} back to ${term}`,
    );
    this.#terms.set(member, term);
  }
}
