/**
 * What a user of the log asks of it, and what it asks of the user. Structural on purpose: the store
 * has equal interfaces of its own, and neither room imports the other.
 */
export interface Proposer {
  /**
   * Log index the next {@link Proposer.propose} will get. Throws `RpcError` when this node may not
   * write.
   */
  readonly nextIndex: bigint;
  /**
   * Appends a normal entry at `nextIndex`, at once; its outcome comes later, in log order, through
   * {@link StateMachine}. Throws `RpcError` when the entry is refused: FAILED_PRECONDITION (this
   * node is not ready to write), INVALID_ARGUMENT (over 1.5 MiB, or empty), RESOURCE_EXHAUSTED (no
   * disk space, or too much under way).
   */
  propose(entry: Uint8Array): void;
}

/**
 * What the log drives. Its methods must not throw: an entry that does not fit is for them to log
 * and skip.
 */
export interface StateMachine {
  /**
   * A committed normal entry, once each, in order of `index`. Empty entries (one at each start of a
   * term) come too, with no bytes; membership changes do not, so indexes may jump.
   */
  apply(index: bigint, data: Uint8Array): void;
  /** The outcome of everything proposed and not yet applied will never be told. */
  abort(reason: Error): void;
  /**
   * The bytes of a `StoreSnapshot` of all that was applied when this was called, in parts that are
   * made as they are asked for, so that a large state does not hold up everything else.
   */
  snapshot(): Iterable<Uint8Array>;
  /** Replaces all state by that of a `StoreSnapshot`. */
  restore(data: Uint8Array): void;
}
