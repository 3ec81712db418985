import type { Clock, InvariantError, Logger } from '@skep/platform';
import type { Store } from '@skep/store';
import { NodeStatus_State } from '@skep/wire/swarmkit';
import { Reconciler } from '../loop/reconciler.js';
import { Deadlines } from './deadlines.js';
import {
  GRACE_PERIODS_UNKNOWN,
  GRACE_UNKNOWN_MIN_MS,
  ORPHAN_AFTER_MS,
  STATUSES_PER_TURN_MAX,
} from './limits.js';
import { isWithNode, writeOrphaned, writeState } from './node-writes.js';
import { heartbeatPeriodMs } from './period.js';

const MOVED_MESSAGE = 'Node moved to "unknown" state due to leadership change in cluster';

export interface NodeWatchOptions {
  store: Store;
  clock: Clock;
  log: Logger;
  /** Whether the node has a session. */
  hasSession(nodeId: string): boolean;
  /** Called when a node has been silent for too long, before its state is written. */
  onSilent(nodeId: string): void;
  onFatal?(error: InvariantError): void;
}

/**
 * Watches over the nodes that may be gone. A node is given time to be heard of; then it is DOWN, and after a
 * day its tasks are given up.
 */
export class NodeWatch {
  readonly deadlines: Deadlines;
  readonly #options: NodeWatchOptions;
  readonly #reconciler: Reconciler<string>;
  readonly #downSinceMs = new Map<string, number>();

  constructor(options: NodeWatchOptions) {
    this.#options = options;
    this.deadlines = new Deadlines(options.clock, (nodeId) => {
      options.onSilent(nodeId);
      this.#reconciler.mark(nodeId);
    });
    this.#reconciler = new Reconciler({
      name: 'node watch',
      ...options,
      reconcile: (nodeId) => this.#reconcile(nodeId),
    });
  }

  /** Takes over all nodes: none is known to be there, and each has time to say that it is. */
  start(): void {
    this.#downSinceMs.clear();
    for (const node of this.#options.store.view.all('node')) this.add(node.id);
    this.#reconciler.start();
  }

  async stop(): Promise<void> {
    this.deadlines.clear();
    await this.#reconciler.stop();
  }

  /** Starts to watch a node that has no session yet. */
  add(nodeId: string): void {
    const { store } = this.#options;
    const periodsMs = GRACE_PERIODS_UNKNOWN * heartbeatPeriodMs(store.view);
    const isDown = store.view.get('node', nodeId)?.status.state === NodeStatus_State.DOWN;
    if (!isDown) this.deadlines.set(nodeId, Math.max(periodsMs, GRACE_UNKNOWN_MIN_MS));
    this.#reconciler.mark(nodeId);
  }

  /** The node is gone from the cluster. */
  forget(nodeId: string): void {
    this.deadlines.cancel(nodeId);
    this.#downSinceMs.delete(nodeId);
  }

  async #reconcile(nodeId: string): Promise<void> {
    const { store, hasSession } = this.#options;
    const state = await store.update((tx) => {
      if (!hasSession(nodeId)) {
        if (this.deadlines.has(nodeId)) {
          writeState(tx, nodeId, NodeStatus_State.UNKNOWN, MOVED_MESSAGE);
        } else {
          writeState(tx, nodeId, NodeStatus_State.DOWN, 'heartbeat failure');
        }
      }
      return tx.get('node', nodeId)?.status.state;
    });
    if (state === NodeStatus_State.DOWN) await this.#watchDown(nodeId);
    else this.#downSinceMs.delete(nodeId);
  }

  async #watchDown(nodeId: string): Promise<void> {
    const { store, clock } = this.#options;
    const nowMs = clock.monotonic();
    const sinceMs = this.#downSinceMs.get(nodeId) ?? nowMs;
    this.#downSinceMs.set(nodeId, sinceMs);
    const leftMs = sinceMs + ORPHAN_AFTER_MS - nowMs;
    if (leftMs > 0) return this.#reconciler.markAfter(nodeId, leftMs);
    const lost = [...store.view.tasksOfNode(nodeId)].filter(isWithNode);
    for (let at = 0; at < lost.length; at += STATUSES_PER_TURN_MAX) {
      const some = lost.slice(at, at + STATUSES_PER_TURN_MAX);
      await store.batch(some, (tx, { id }) => writeOrphaned(tx, id, clock.now()));
    }
  }
}
