import type { Clock, InvariantError, Logger } from '@skep/platform';
import type { ReadView, Store } from '@skep/store';
import { hasOwnAgent, type NodeObject } from '@skep/wire';
import { NodeStatus_State } from '@skep/wire/swarmkit';
import { type Step, updateTask } from '../loop/plan.js';
import { type Decision, Planner } from '../loop/planner.js';
import { Deadlines } from './deadlines.js';
import {
  GRACE_NEW_MS,
  GRACE_PERIODS_UNKNOWN,
  GRACE_PERIODS_UNKNOWN_DOCKER,
  GRACE_PERIODS_UNREACHABLE,
  ORPHAN_AFTER_MS,
} from './limits.js';
import { inState, isWithNode, orphaned } from './node-writes.js';
import { heartbeatPeriodMs } from './period.js';

const MOVED_MESSAGE = 'Node moved to "unknown" state due to leadership change in cluster';

export interface NodeWatchOptions {
  store: Store;
  clock: Clock;
  log: Logger;
  /** Whether the node has a session. */
  hasSession(nodeId: string): boolean;
  /** Whether the node is a manager's that this one can or cannot reach; undefined when it is none. */
  isReachable(nodeId: string): boolean | undefined;
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
  readonly #planner: Planner;
  readonly #downSinceMs = new Map<string, number>();
  /** More time for nodes of managers, ms, if those turn out to be reachable. */
  readonly #restMs = new Map<string, number>();

  constructor(options: NodeWatchOptions) {
    this.#options = options;
    this.deadlines = new Deadlines(options.clock, (nodeId) => this.#onExpired(nodeId));
    this.#planner = new Planner({
      name: 'node watch',
      ...options,
      decide: (view, nodeIds) => this.#decide(view, nodeIds),
    });
  }

  /** Takes over all nodes: none is known to be there, and each has time to say that it is. */
  start(): void {
    this.#downSinceMs.clear();
    const { view } = this.#options.store;
    for (const node of view.all('node')) this.#await(node, this.#graceMs(view, node));
    this.#planner.start();
  }

  /** Time for a node that a new leader has not heard of, ms. */
  #graceMs(view: ReadView, node: NodeObject): number {
    const periodMs = heartbeatPeriodMs(view, node);
    if (!hasOwnAgent(node.description)) return GRACE_PERIODS_UNKNOWN_DOCKER * periodMs;
    const graceMs = GRACE_PERIODS_UNKNOWN * periodMs;
    if (this.#options.isReachable(node.id) === undefined) return graceMs;
    // Whether a manager answers is not known in the first moments of a lead: it is asked in the end.
    const shortMs = GRACE_PERIODS_UNREACHABLE * periodMs;
    this.#restMs.set(node.id, graceMs - shortMs);
    return shortMs;
  }

  #onExpired(nodeId: string): void {
    const { hasSession, isReachable, onSilent } = this.#options;
    const restMs = this.#restMs.get(nodeId);
    this.#restMs.delete(nodeId);
    if (restMs !== undefined && !hasSession(nodeId) && isReachable(nodeId)) {
      this.deadlines.set(nodeId, restMs);
      return;
    }
    onSilent(nodeId);
    this.#planner.mark(nodeId);
  }

  async stop(): Promise<void> {
    this.deadlines.clear();
    this.#restMs.clear();
    await this.#planner.stop();
  }

  /** Starts to watch a node that is new in the cluster. */
  add(node: NodeObject): void {
    this.#await(node, GRACE_NEW_MS);
  }

  /** Gives a node without a session time to open one. */
  #await({ id, status }: NodeObject, graceMs: number): void {
    if (status.state !== NodeStatus_State.DOWN) this.deadlines.set(id, graceMs);
    this.#planner.mark(id);
  }

  /** The node is gone from the cluster. */
  forget(nodeId: string): void {
    this.deadlines.cancel(nodeId);
    this.#downSinceMs.delete(nodeId);
    this.#restMs.delete(nodeId);
  }

  /** Pure but for the memory of when a node went down. */
  #decide(view: ReadView, nodeIds: readonly string[]): Decision {
    const steps: Step[] = [];
    const wakes: [string, number][] = [];
    for (const nodeId of nodeIds) {
      const node = view.get('node', nodeId);
      if (!node) continue;
      const object = this.#options.hasSession(nodeId) ? undefined : this.#silent(node);
      if (object) steps.push([{ kind: 'update', table: 'node', object }]);
      if ((object ?? node).status.state !== NodeStatus_State.DOWN) {
        this.#downSinceMs.delete(nodeId);
        continue;
      }
      const leftMs = this.#untilOrphanedMs(nodeId);
      if (leftMs > 0) wakes.push([nodeId, leftMs]);
      else steps.push(...this.#orphan(view, nodeId));
    }
    return { steps, wakes };
  }

  /** A node without a session as it should be; undefined when it is. */
  #silent(node: NodeObject): NodeObject | undefined {
    if (this.deadlines.has(node.id)) return inState(node, NodeStatus_State.UNKNOWN, MOVED_MESSAGE);
    const isUnknown = node.status.state === NodeStatus_State.UNKNOWN;
    const message = isUnknown
      ? 'heartbeat failure for node in "unknown" state'
      : 'heartbeat failure';
    return inState(node, NodeStatus_State.DOWN, message);
  }

  #untilOrphanedMs(nodeId: string): number {
    const nowMs = this.#options.clock.monotonic();
    const sinceMs = this.#downSinceMs.get(nodeId) ?? nowMs;
    this.#downSinceMs.set(nodeId, sinceMs);
    return sinceMs + ORPHAN_AFTER_MS - nowMs;
  }

  #orphan(view: ReadView, nodeId: string): Step[] {
    const nowMs = this.#options.clock.now();
    const lost = [...view.tasksOfNode(nodeId)].filter(isWithNode);
    return lost.map((task) => [updateTask(orphaned(task, nowMs))]);
  }
}
