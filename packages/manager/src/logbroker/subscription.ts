import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import type { ReadView } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import {
  type LogSelector,
  type LogSubscriptionOptions,
  type SubscribeLogsMessage,
  type SubscriptionMessage,
  SubscriptionMessageSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { Channel } from './channel.js';
import { MESSAGES_WAITING_MAX, REASONS_MAX } from './limits.js';

export interface SubscriptionOptions {
  id: string;
  selector: LogSelector;
  options: LogSubscriptionOptions;
}

/** One reader of logs: the nodes that have some for it, and what they sent. */
export class Subscription {
  readonly id: string;
  readonly follow: boolean;
  readonly messages = new Channel<SubscribeLogsMessage>(MESSAGES_WAITING_MAX);
  readonly #selector: LogSelector;
  readonly #opening: SubscriptionMessage;
  /** Nodes asked, and whether they have sent all they had. */
  readonly #nodes = new Map<string, { done: boolean }>();
  readonly #reasons: string[] = [];
  #reasonsMore = 0;

  constructor({ id, selector, options }: SubscriptionOptions) {
    this.id = id;
    this.follow = options.follow;
    this.#selector = selector;
    this.#opening = create(SubscriptionMessageSchema, { id, selector, options });
  }

  /** What tells a node to send its logs. */
  get opening(): SubscriptionMessage {
    return this.#opening;
  }

  get nodes(): Iterable<string> {
    return this.#nodes.keys();
  }

  /** Whether the node is asked and not done. */
  expects(nodeId: string): boolean {
    return this.#nodes.get(nodeId)?.done === false;
  }

  selects(task: TaskObject): boolean {
    const { taskIds, serviceIds, nodeIds } = this.#selector;
    return (
      taskIds.includes(task.id) ||
      (task.serviceId !== '' && serviceIds.includes(task.serviceId)) ||
      (task.nodeId !== '' && nodeIds.includes(task.nodeId))
    );
  }

  /** Finds the nodes that have logs now. Without following, tasks that never ran have none. */
  addPresent(view: ReadView): void {
    const { taskIds, serviceIds, nodeIds } = this.#selector;
    for (const id of taskIds) {
      const task = view.get('task', id);
      if (task?.nodeId) this.addNode(task.nodeId);
      else if (task && !this.follow) this.#because(`task ${id} has not been scheduled`);
    }
    const byService = serviceIds.flatMap((id) => [...view.tasksOfService(id)]);
    const byNode = nodeIds.flatMap((id) => [...view.tasksOfNode(id)]);
    for (const task of [...byService, ...byNode]) {
      if (!this.follow && task.status.state < TaskState.RUNNING) continue;
      if (task.nodeId) this.addNode(task.nodeId);
      else if (!this.follow) this.#because(`task ${task.id} has not been scheduled`);
    }
  }

  /** Adds a node; false when it was asked already. */
  addNode(nodeId: string): boolean {
    if (this.#nodes.has(nodeId)) return false;
    this.#nodes.set(nodeId, { done: false });
    return true;
  }

  /** A node has sent all it had, or, for a reason, will not. The last one ends a stream that does not follow. */
  nodeDone(nodeId: string, reason?: string): void {
    const node = this.#nodes.get(nodeId);
    if (this.follow || !node || node.done) return;
    node.done = true;
    if (reason) this.#because(reason);
    this.endIfComplete();
  }

  endIfComplete(): void {
    if (this.follow || [...this.#nodes.values()].some(({ done }) => !done)) return;
    this.messages.close(this.#incomplete());
  }

  #because(reason: string): void {
    if (this.#reasons.includes(reason)) return;
    if (this.#reasons.length < REASONS_MAX) this.#reasons.push(reason);
    else this.#reasonsMore++;
  }

  #incomplete(): RpcError | undefined {
    if (this.#reasons.length === 0) return undefined;
    const more = this.#reasonsMore > 0 ? [`${this.#reasonsMore} more`] : [];
    const message =
      'warning: incomplete log stream. some logs could not be retrieved for the following reasons: ' +
      [...this.#reasons, ...more].join(', ');
    return new RpcError(Code.UNKNOWN, message);
  }
}
