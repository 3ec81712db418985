import { create } from '@bufbuild/protobuf';
import { Code, invariant, RpcError } from '@skep/platform';
import type { Commit, ReadView } from '@skep/store';
import {
  type NetworksUpdate,
  type WatchNetworksRequest,
  type WithdrawRequest,
  type WithdrawResponse,
  WithdrawResponseSchema,
} from '@skep/wire/skep';
import { TaskState } from '@skep/wire/swarmkit';
import type { ControlLoop, NetworksService } from '../contract.js';
import type { SwarmFlaws } from '../flaws.js';
import type { LoopOptions } from '../loop/planner.js';
import { whenAborted } from '../loop/when-aborted.js';
import { within } from '../loop/within.js';
import { WITHDRAWAL_MS_MAX } from './limits.js';
import { NodeFeed } from './node-feed.js';
import { networkIdsOf } from './rows.js';
import { type RowKey, TableRows } from './table-rows.js';
import { Withdrawals } from './withdrawals.js';

export interface NetworksOptions extends LoopOptions {
  /** Known bugs, for the simulator. */
  flaws?: SwarmFlaws | undefined;
}

/**
 * Tells the nodes what stands in the networks they take part in, all derived from the store, and sees
 * to it that a task is out of use everywhere before it stops. The leader's.
 */
export class Networks implements ControlLoop, NetworksService {
  readonly #options: NetworksOptions;
  readonly #feeds = new Map<string, NodeFeed>();
  readonly #withdrawals: Withdrawals;
  #rows: TableRows | undefined;
  #version = 0n;
  #unsubscribe: (() => void) | undefined;

  constructor(options: NetworksOptions) {
    this.#options = options;
    this.#withdrawals = new Withdrawals(options.clock, (taskId) => {
      this.#rows?.putTask(options.store.view, taskId);
    });
  }

  start(): void {
    invariant(!this.#unsubscribe, 'networks are started twice');
    this.#unsubscribe = this.#options.store.subscribe((commit) => this.#onCommit(commit));
    this.#version = newestVersion(this.#options.store.view);
  }

  /** Ends all calls: nodes keep what they know until another leader tells them more. */
  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    for (const feed of this.#feeds.values()) feed.end('moved');
    this.#feeds.clear();
    this.#withdrawals.clear();
    this.#rows = undefined;
  }

  /** Nodes that watch, and how many updates each has not applied yet: 0 for one that is up to date. */
  get watching(): ReadonlyMap<string, number> {
    return new Map([...this.#feeds.values()].map(({ nodeId, underWay }) => [nodeId, underWay]));
  }

  async *watch(
    nodeId: string,
    requests: AsyncIterable<WatchNetworksRequest>,
    signal: AbortSignal,
  ): AsyncIterable<NetworksUpdate> {
    const feed = this.#open(nodeId);
    const close = () => this.#close(feed);
    const forget = whenAborted(signal, close);
    let failure: unknown;
    this.#hear(feed, requests).catch((error: unknown) => {
      failure = error;
      close();
    });
    try {
      while (!signal.aborted) {
        if (failure) throw failure;
        feed.stream.check();
        let isNews = false;
        for (const message of feed.next()) {
          isNews = true;
          yield message;
        }
        if (!isNews) await feed.stream.woken(signal);
      }
    } finally {
      forget();
      close();
    }
  }

  async withdraw(
    nodeId: string,
    { taskId }: WithdrawRequest,
    signal: AbortSignal,
  ): Promise<WithdrawResponse> {
    this.#mustRun();
    const { clock, store } = this.#options;
    const task = store.view.get('task', taskId);
    if (task && task.nodeId !== nodeId) {
      throw new RpcError(Code.PERMISSION_DENIED, 'cannot withdraw a task not assigned this node');
    }
    const response = create(WithdrawResponseSchema);
    if (!task || task.status.state > TaskState.RUNNING) return response;
    this.#withdrawals.add(taskId);
    this.#rows?.putTask(store.view, taskId);
    const networkIds = networkIdsOf(task.networks);
    const behind = new Set([...this.#feeds.values()].filter((feed) => feed.knowsAny(networkIds)));
    const all = [...behind]
      .filter((feed) => !feed.isStuck)
      .map((feed) => feed.caughtUp().then(() => behind.delete(feed)));
    await within(clock, WITHDRAWAL_MS_MAX, signal, Promise.all(all)).catch(() => {});
    response.waitedInVainFor = [...behind].map((feed) => feed.nodeId);
    return response;
  }

  #mustRun(): void {
    if (!this.#unsubscribe) throw new RpcError(Code.ABORTED, 'this manager does not lead any more');
  }

  #open(nodeId: string): NodeFeed {
    this.#mustRun();
    const { clock, flaws, log, store } = this.#options;
    if (!store.view.get('node', nodeId)) {
      throw new RpcError(Code.NOT_FOUND, `node ${nodeId} not found`);
    }
    const rows = (this.#rows ??= this.#fill());
    this.#feeds.get(nodeId)?.end('replaced');
    const version = () => this.#version;
    const feed = new NodeFeed({ nodeId, rows, clock, log, version, flaws });
    this.#feeds.set(nodeId, feed);
    return feed;
  }

  #close(feed: NodeFeed): void {
    feed.end('replaced');
    if (this.#feeds.get(feed.nodeId) === feed) this.#feeds.delete(feed.nodeId);
  }

  /** Takes in what the node says; ends with its call. */
  async #hear(feed: NodeFeed, requests: AsyncIterable<WatchNetworksRequest>): Promise<void> {
    for await (const { applied } of requests) feed.acknowledge(applied);
  }

  /** All rows, made when the first node asks: a leader that just began has other things to do. */
  #fill(): TableRows {
    const rows = new TableRows({
      withdrawn: this.#withdrawals,
      onChange: (key, isUrgent) => this.#mark(key, isUrgent),
    });
    rows.fill(this.#options.store.view);
    return rows;
  }

  #mark(key: RowKey, isUrgent: boolean): void {
    for (const feed of this.#feeds.values()) feed.mark(key, isUrgent);
  }

  #onCommit({ index, changes }: Commit): void {
    const { view } = this.#options.store;
    this.#version = index > 0n ? index : newestVersion(view);
    for (const { kind, object, table } of changes) {
      if (table === 'node' && kind === 'remove') this.#feeds.get(object.id)?.end('replaced');
      if (table !== 'task') continue;
      const hasEnded = kind === 'remove' || object.status.state > TaskState.RUNNING;
      if (hasEnded) this.#withdrawals.forget(object.id);
    }
    this.#rows?.apply(changes, view);
  }
}

/** Index of the last entry that any object is from. */
function newestVersion(view: ReadView): bigint {
  let newest = 0n;
  for (const table of ['network', 'node', 'service', 'task'] as const) {
    for (const { meta } of view.all(table)) {
      if (meta.version.index >= newest) newest = meta.version.index + 1n;
    }
  }
  return newest;
}
