import {
  type Clock,
  errorMessage,
  InvariantError,
  invariant,
  type Logger,
  type Random,
  RpcError,
  randomU63,
} from '@skep/platform';
import type { StoreObjects, TableName } from '@skep/wire';
import { applyActions, putChange } from './apply.js';
import type { Change, Commit } from './change.js';
import type { Proposer, StateMachine } from './contract.js';
import { decodeEntry, decodeSnapshot, encodeEntry, encodeSnapshot, requestIdOf } from './entry.js';
import { EntryTooLargeError, UnknownOutcomeError } from './errors.js';
import { BATCH_CHANGES_MAX, ENTRY_BYTES_MAX } from './limits.js';
import { TABLE_NAMES } from './schema.js';
import { type ReadView, State } from './state.js';
import { HeadTransaction, type Transaction } from './transaction.js';

interface Pending {
  requestId: bigint;
  changes: readonly Change[];
  resolve(): void;
  reject(error: Error): void;
}

export interface StoreOptions {
  clock: Clock;
  random: Random;
  log: Logger;
}

export type CommitListener = (commit: Commit) => void;

/**
 * All objects of the swarm, in memory, ordered by a {@link Proposer}.
 *
 * Two states are kept. `committed` is what readers and listeners see. `head` is committed plus
 * everything proposed since: transactions run against it, so they may follow each other without
 * waiting for the disk, and group commit does the rest. Since the log has one order, an entry that
 * commits finds exactly the state it was computed from. When the outcome of what is under way is
 * lost, head falls back to committed.
 */
export class Store implements StateMachine {
  readonly #options: StoreOptions;
  readonly #listeners = new Set<CommitListener>();
  #proposer: Proposer | undefined;
  #committed = new State();
  #head = new State();
  #pending: Pending[] = [];
  #nextRequestId: bigint;
  #inTransaction = false;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#nextRequestId = randomU63(options.random);
  }

  /** The committed state. Consistent for as long as the caller does not await. */
  get view(): ReadView {
    return this.#committed;
  }

  /** Gives the store who orders its writes; until then every update is refused. */
  attach(proposer: Proposer | undefined): void {
    this.#proposer = proposer;
  }

  /**
   * Calls `listener` after every commit, synchronously and in order. It must not throw, nor await.
   */
  subscribe(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Runs `fn` as one transaction and resolves with its result once that is committed and applied.
   * Whatever `fn` throws undoes its writes and rejects. A transaction without writes proposes
   * nothing, but waits for the writes it may have read.
   */
  update<R>(fn: (tx: Transaction) => R): Promise<R> {
    invariant(!this.#inTransaction, 'a transaction inside a transaction');
    let result: R;
    let transaction: HeadTransaction | undefined;
    try {
      if (!this.#proposer) throw new Error('the store has no proposer');
      const version = this.#proposer.nextIndex - 1n;
      transaction = new HeadTransaction(this.#head, { version, nowMs: this.#options.clock.now() });
      this.#inTransaction = true;
      result = fn(transaction);
      this.#inTransaction = false;
      invariant(!(result instanceof Promise), 'a transaction must be synchronous');
      return this.#propose(transaction.changes).then(() => result);
    } catch (error) {
      this.#inTransaction = false;
      transaction?.undo();
      if (error instanceof InvariantError) throw error;
      return Promise.reject(error);
    }
  }

  /**
   * Writes the changes of many items in as few entries as the limits allow. `fn` must depend on
   * nothing but the transaction and its item: when one item fails, its group is halved and run
   * again until that item is alone, which is then logged and skipped, so that one bad item never
   * holds up the others.
   */
  async batch<I>(items: Iterable<I>, fn: (tx: Transaction, item: I) => void): Promise<void> {
    const queue = [...items];
    const done: Promise<void>[] = [];
    while (queue.length > 0) {
      const group = queue.splice(0, BATCH_CHANGES_MAX);
      done.push(this.#batchGroup(group, fn));
    }
    await Promise.all(done);
  }

  async #batchGroup<I>(group: I[], fn: (tx: Transaction, item: I) => void): Promise<void> {
    let failure: unknown;
    try {
      await this.update((tx) => {
        try {
          for (const item of group) fn(tx, item);
        } catch (error) {
          failure = error;
          throw error;
        }
      });
    } catch (error) {
      // What the log refuses is no item's fault: nothing may be skipped for it.
      const isOfItems = error === failure || error instanceof EntryTooLargeError;
      if (!isOfItems || !(error instanceof RpcError)) throw error;
      await this.#withoutFailing(group, error, fn);
    }
  }

  async #withoutFailing<I>(
    group: I[],
    error: RpcError,
    fn: (tx: Transaction, item: I) => void,
  ): Promise<void> {
    if (group.length > 1) {
      const half = group.length >> 1;
      await this.#batchGroup(group.slice(0, half), fn);
      await this.#batchGroup(group.slice(half), fn);
    } else {
      this.#options.log.warn({ error: error.message }, 'one item of a batch was skipped');
    }
  }

  #propose(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return this.#afterPending();
    const requestId = this.#nextRequestId++;
    const entry = encodeEntry(requestId, changes);
    if (entry.length > ENTRY_BYTES_MAX) throw new EntryTooLargeError(entry.length, ENTRY_BYTES_MAX);
    this.#proposer?.propose(entry);
    return new Promise((resolve, reject) => {
      this.#pending.push({ requestId, changes, resolve, reject });
    });
  }

  /** Resolves when all that is proposed now is applied. */
  #afterPending(): Promise<void> {
    const last = this.#pending.at(-1);
    if (!last) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const { resolve: lastResolve, reject: lastReject } = last;
      last.resolve = () => {
        lastResolve();
        resolve();
      };
      last.reject = (error) => {
        lastReject(error);
        reject(error);
      };
    });
  }

  apply(index: bigint, data: Uint8Array): void {
    if (data.length === 0) return;
    const [first] = this.#pending;
    const own = first && first.requestId === requestIdOf(data) ? first : undefined;
    if (own) {
      this.#pending.shift();
      for (const change of own.changes) putChange(this.#committed, change);
      this.#publish({ index, changes: own.changes });
      own.resolve();
      return;
    }
    this.abort(new Error('another manager has written'));
    const { changes, misfit } = applyActions(this.#committed, decodeEntry(data));
    if (misfit) {
      const fields = { index: String(index), table: misfit.table, id: misfit.id };
      this.#options.log.error(fields, `entry dropped: ${misfit.kind} does not fit`);
    }
    for (const change of changes) putChange(this.#head, change);
    this.#publish({ index, changes });
  }

  abort(reason: Error): void {
    if (this.#pending.length === 0) return;
    const lost = this.#pending;
    this.#pending = [];
    this.#head = this.#committed.copy();
    for (const pending of lost) pending.reject(new UnknownOutcomeError(reason));
  }

  snapshot(): Iterable<Uint8Array> {
    return encodeSnapshot(this.#committed);
  }

  restore(data: Uint8Array): void {
    this.abort(new Error('state was replaced by a snapshot'));
    const previous = this.#committed;
    const next = new State();
    const changes: Change[] = [];
    for (const { table, object } of decodeSnapshot(data)) {
      next.set(table, object.id, object as never);
      const before = previous.get(table, object.id);
      changes.push(
        (before
          ? { kind: 'update', table, object, before }
          : { kind: 'create', table, object }) as Change,
      );
    }
    for (const table of TABLE_NAMES) changes.push(...removedFrom(previous, next, table));
    this.#committed = next;
    this.#head = next.copy();
    this.#publish({ index: 0n, changes });
  }

  #publish(commit: Commit): void {
    if (commit.changes.length === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(commit);
      } catch (error) {
        throw new InvariantError(`a commit listener threw: ${errorMessage(error)}`, {
          cause: error,
        });
      }
    }
  }
}

function removedFrom(previous: State, next: State, table: TableName): Change[] {
  const removed: Change[] = [];
  for (const object of previous.all(table) as Iterable<StoreObjects[TableName]>) {
    if (!next.get(table, object.id)) removed.push({ kind: 'remove', table, object } as Change);
  }
  return removed;
}
