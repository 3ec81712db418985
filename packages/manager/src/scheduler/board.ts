import type { Change, ChangeOf, ReadView } from '@skep/store';
import type { NodeObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { groupKey, holdsNode, revisionKey } from './demand.js';
import { NodeInfo } from './node-info.js';
import { NodeOrder } from './node-order.js';
import { WaitingTasks } from './waiting.js';

/** All the scheduler knows: nodes with what runs on them, and the tasks that wait. Kept from commits. */
export class Board {
  readonly waiting = new WaitingTasks();
  readonly byLoad = new NodeOrder();
  readonly #nodes = new Map<string, NodeInfo>();
  #nodeList: readonly NodeInfo[] | undefined;
  #nodesSeen = 0;

  static from(view: ReadView): Board {
    const board = new Board();
    for (const node of view.all('node')) board.#addNode(node);
    for (const task of view.all('task')) board.#putTask(task);
    return board;
  }

  get nodes(): readonly NodeInfo[] {
    this.#nodeList ??= [...this.#nodes.values()];
    return this.#nodeList;
  }

  node(id: string): NodeInfo | undefined {
    return this.#nodes.get(id);
  }

  /** Takes note of a committed change. `view` holds the state after it. */
  apply(change: Change, view: ReadView, monotonicMs: number): void {
    if (change.table === 'node') this.#applyNode(change, view);
    else if (change.table === 'task') this.#applyTask(change, monotonicMs);
  }

  #applyNode({ kind, object }: ChangeOf<'node'>, view: ReadView): void {
    const info = this.#nodes.get(object.id);
    if (kind === 'remove') {
      this.#nodes.delete(object.id);
      this.#nodeList = undefined;
      if (info) this.byLoad.remove(info);
    } else if (info) {
      const { spec, status, description } = info.node;
      info.setNode(object);
      const same =
        spec === object.spec && status === object.status && description === object.description;
      if (!same) this.waiting.reconsider();
    } else {
      const added = this.#addNode(object);
      for (const task of view.tasksOfNode(object.id)) if (holdsNode(task)) added.put(task);
      this.waiting.reconsider();
    }
  }

  #addNode(node: NodeObject): NodeInfo {
    const info = new NodeInfo(node, this.#nodesSeen++, (moved) => this.byLoad.moved(moved));
    this.#nodes.set(node.id, info);
    this.#nodeList = undefined;
    this.byLoad.add(info);
    return info;
  }

  #applyTask({ kind, object, before }: ChangeOf<'task'>, monotonicMs: number): void {
    if (before && before.nodeId !== object.nodeId) this.#dropTask(before);
    if (before && groupKey(before) !== groupKey(object)) this.waiting.remove(before);
    if (kind === 'remove') {
      this.#dropTask(object);
      this.waiting.remove(object);
      return;
    }
    this.#putTask(object);
    if (before && before.desiredState !== object.desiredState) this.waiting.reconsider();
    if (hasFailed(object) && !(before && hasFailed(before))) {
      this.#nodes.get(object.nodeId)?.failures.record(revisionKey(object), monotonicMs);
    }
  }

  #putTask(task: TaskObject): void {
    if (holdsNode(task)) this.#nodes.get(task.nodeId)?.put(task);
    else if (task.status.state > TaskState.RUNNING) this.#dropTask(task);
    if (task.status.state === TaskState.PENDING) this.waiting.put(task);
    else this.waiting.remove(task);
  }

  #dropTask(task: TaskObject): void {
    if (this.#nodes.get(task.nodeId)?.drop(task.id)) this.waiting.reconsider();
  }
}

function hasFailed({ status }: TaskObject): boolean {
  return status.state === TaskState.FAILED || status.state === TaskState.REJECTED;
}
