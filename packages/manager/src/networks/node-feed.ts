import { type Cancel, type Clock, Code, type Logger, RpcError } from '@skep/platform';
import type { NetworksUpdate } from '@skep/wire/skep';
import { type EndReason, NodeStream } from '../dispatcher/stream.js';
import type { SwarmFlaws } from '../flaws.js';
import { BEHIND_MS, UPDATE_REST_MS, UPDATES_UNDER_WAY_MAX } from './limits.js';
import { NodeTables } from './node-tables.js';
import type { RowKey, TableRows } from './table-rows.js';

interface Waiter {
  /** Update to wait for. */
  number: number;
  resolve(): void;
}

export interface NodeFeedOptions {
  nodeId: string;
  rows: TableRows;
  clock: Clock;
  log: Logger;
  /** Of the last commit. */
  version(): bigint;
  flaws?: SwarmFlaws | undefined;
}

/** What goes to one node over one call, and how much of it the node has in its kernel. */
export class NodeFeed {
  readonly nodeId: string;
  readonly stream = new NodeStream();
  readonly #options: NodeFeedOptions;
  readonly #tables: NodeTables;
  readonly #waiters = new Set<Waiter>();
  #applied = 0;
  #isTelling = false;
  #cancelWarning: Cancel | undefined;
  #isStuck = false;
  /** What is to be told does not wait for company. */
  #isUrgent = false;
  /** Ends the rest after an update; undefined when it is over. */
  #cancelRest: Cancel | undefined;

  constructor(options: NodeFeedOptions) {
    this.nodeId = options.nodeId;
    this.#options = options;
    this.#tables = new NodeTables(options.nodeId, options.rows);
  }

  /** Updates made that the node does not have in its kernel yet. */
  get underWay(): number {
    return this.#tables.number - this.#applied;
  }

  /** Nothing that it was told has been applied for long: nobody should wait for it. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  knowsAny(networkIds: readonly string[]): boolean {
    return this.#tables.knowsAny(networkIds);
  }

  mark(key: RowKey, isUrgent: boolean): void {
    if (this.#isTelling && this.#options.flaws?.has('change-lost-while-telling')) return;
    if (!this.#tables.mark(key)) return;
    this.#isUrgent ||= isUrgent;
    this.stream.wake();
  }

  /**
   * The messages of the next update; none when all is told, when the node must catch up first, or while more
   * may come that goes with it.
   */
  *next(): Generator<NetworksUpdate> {
    if (!this.#tables.isDue || this.underWay >= UPDATES_UNDER_WAY_MAX) return;
    if (this.#cancelRest && !this.#isUrgent) return;
    this.#isTelling = true;
    this.#isUrgent = false;
    this.#rest();
    yield* this.#tables.next(this.#options.version);
    this.#expectProgress();
    // Where a mark came to nothing, there is no update to wait for.
    for (const waiter of this.#waiters) {
      waiter.number = Math.min(waiter.number, this.#tables.number);
    }
    this.#wakeWaiters();
  }

  /** The node has an update, and those before, in its kernel. */
  acknowledge(applied: bigint): void {
    if (applied > BigInt(this.#tables.number)) {
      throw new RpcError(Code.INVALID_ARGUMENT, `there was no update ${applied}`);
    }
    this.#applied = Math.max(this.#applied, Number(applied));
    this.#isStuck = false;
    this.#isTelling = this.underWay > 0;
    this.#expectNothing();
    this.#expectProgress();
    this.#wakeWaiters();
    this.stream.wake();
  }

  /** Resolves when all that can be told now is in the node's kernel, or the call is over. */
  async caughtUp(): Promise<void> {
    const { isDue, number } = this.#tables;
    const wanted = isDue ? number + 1 : number;
    if (this.stream.ended || this.#applied >= wanted) return;
    this.#isUrgent = true;
    this.stream.wake();
    await new Promise<void>((resolve) => this.#waiters.add({ number: wanted, resolve }));
  }

  end(reason: EndReason): void {
    this.stream.end(reason);
    this.#expectNothing();
    this.#cancelRest?.();
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters.clear();
  }

  #rest(): void {
    this.#cancelRest?.();
    this.#cancelRest = this.#options.clock.after(UPDATE_REST_MS, () => {
      this.#cancelRest = undefined;
      this.stream.wake();
    });
  }

  /** A node that has something to apply says within a time that it did, or is stuck. */
  #expectProgress(): void {
    if (this.underWay === 0 || this.#cancelWarning || this.stream.ended) return;
    const { clock, log, nodeId } = this.#options;
    this.#cancelWarning = clock.after(BEHIND_MS, () => {
      this.#cancelWarning = undefined;
      this.#isStuck = true;
      log.warn({ nodeId, updates: this.underWay }, 'a node does not bring its networks up to date');
    });
  }

  #expectNothing(): void {
    this.#cancelWarning?.();
    this.#cancelWarning = undefined;
  }

  #wakeWaiters(): void {
    for (const waiter of this.#waiters) {
      if (waiter.number > this.#applied) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}
