/**
 * What the store asks of whoever orders its writes (Raft). Structural on purpose: neither room
 * imports the other.
 */
export interface Proposer {
  /** Log index the next {@link Proposer.propose} will get. Throws when this node may not write. */
  readonly nextIndex: bigint;
  /**
   * Appends an entry at `nextIndex`, synchronously. Its outcome comes later, in log order, through
   * `StateMachine.apply` or `abort`. Throws when the entry is refused (not leader, no room, too
   * large).
   */
  propose(entry: Uint8Array): void;
}

/** What the proposer drives. */
export interface StateMachine {
  /** A committed entry. Called once for each, in order of `index`. */
  apply(index: bigint, data: Uint8Array): void;
  /** Nothing proposed and not yet applied will ever be known to commit. */
  abort(reason: Error): void;
  /**
   * The bytes of a `StoreSnapshot` of all that was applied when this was called, in parts that are
   * made as they are asked for.
   */
  snapshot(): Iterable<Uint8Array>;
  /** Replaces all state by a snapshot's. */
  restore(data: Uint8Array): void;
}
