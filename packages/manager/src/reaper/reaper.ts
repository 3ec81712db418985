import type { Change, ChangeOf, ReadView } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import { NodeStatus_State } from '@skep/wire/swarmkit';
import type { Decision, LoopOptions } from '../loop/planner.js';
import { PlanningLoop } from '../loop/planning-loop.js';
import { hasEnded, slotKey } from '../orchestrator/slot.js';
import { planReaping, planUnowned } from './plan.js';

/** Separates keys of tasks without service from slot keys, which begin with a service id. */
const UNOWNED_PREFIX = ':';

/** Deletes tasks: those given up once they have stopped, and history beyond its limit. */
export class TaskReaper extends PlanningLoop {
  constructor(options: LoopOptions) {
    super('reaper', options);
  }

  protected decide(view: ReadView, keys: readonly string[]): Decision {
    const steps = keys.flatMap((key) =>
      key.startsWith(UNOWNED_PREFIX)
        ? planUnowned(view, key.slice(UNOWNED_PREFIX.length))
        : planReaping(view, key),
    );
    return { steps };
  }

  protected onChange(change: Change): void {
    if (change.table === 'task') this.#onTask(change);
    else if (change.table === 'service') this.#onService(change);
    else if (change.table === 'cluster') this.#onCluster(change);
    else if (change.table === 'node') this.#onNode(change);
  }

  #onTask({ kind, object: task, before }: ChangeOf<'task'>): void {
    const ended = hasEnded(task) && before?.status.state !== task.status.state;
    const given = before?.desiredState !== task.desiredState;
    if (kind !== 'remove' && (ended || given)) this.#markTask(task);
  }

  /** What an update is judged by may go when it is over; so may history under a smaller limit. */
  #onService({ kind, object: service }: ChangeOf<'service'>): void {
    if (kind !== 'update') return;
    for (const task of this.store.view.tasksOfService(service.id)) this.#markTask(task);
  }

  #onCluster({ object, before }: ChangeOf<'cluster'>): void {
    const limit = object.spec.orchestration.taskHistoryRetentionLimit;
    if (before?.spec.orchestration.taskHistoryRetentionLimit !== limit) this.markAll();
  }

  /** A node that is gone or down does not say any more what has stopped. */
  #onNode({ kind, object: { id: nodeId, status }, before }: ChangeOf<'node'>): void {
    const isDown = status.state === NodeStatus_State.DOWN && before?.status.state !== status.state;
    if (kind !== 'remove' && !isDown) return;
    for (const task of this.store.view.tasksOfNode(nodeId)) this.#markTask(task);
  }

  protected markAll(): void {
    for (const task of this.store.view.all('task')) this.#markTask(task);
  }

  #markTask(task: TaskObject): void {
    const { view } = this.store;
    this.mark(task.serviceId ? slotKey(view, task) : UNOWNED_PREFIX + task.id);
  }
}
