import type { Random } from '@skep/platform';
import type { Change, ChangeOf, ReadView } from '@skep/store';
import type { NodeObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { type Decision, type LoopOptions, merged } from '../loop/planner.js';
import { PlanningLoop } from '../loop/planning-loop.js';
import { hasEnded, isLive, isRefused, slotKey } from '../orchestrator/slot.js';
import { planSlotRestarts } from './plan.js';

/**
 * Replaces tasks that ended or were lost with their node, as their restart policy says, and lets
 * replacements start once their delay is over and what they replace has stopped.
 */
export class RestartSupervisor extends PlanningLoop {
  readonly #random: Random;

  constructor(options: LoopOptions) {
    super('restart', options);
    this.#random = options.random;
  }

  protected decide(view: ReadView, keys: readonly string[], nowMs: number): Decision {
    const context = { nowMs, random: this.#random };
    return merged(keys.map((key) => planSlotRestarts(view, key, context)));
  }

  protected markAll(): void {
    for (const task of this.store.view.all('task')) this.#markLive(task);
  }

  protected onChange(change: Change): void {
    if (change.table === 'task') this.#onTask(change);
    else if (change.table === 'node') this.#onNode(change);
  }

  #onTask(change: ChangeOf<'task'>): void {
    const { kind, object: task, before } = change;
    const starts = kind === 'create' && task.desiredState < TaskState.RUNNING;
    const moved =
      before?.desiredState !== task.desiredState ||
      before.nodeId !== task.nodeId ||
      hasEnded(before) !== hasEnded(task) ||
      isAnswer(before, task);
    if (task.serviceId && (starts || kind === 'remove' || (kind === 'update' && moved))) {
      this.mark(slotKey(this.store.view, task));
    }
  }

  /** A lost node spends its tasks, and ends the wait for those that were to stop there. */
  #onNode(change: ChangeOf<'node'>): void {
    const { object: node, before } = change;
    if (change.kind === 'update' && !reachChanged(node, before)) return;
    for (const task of this.store.view.tasksOfNode(node.id)) {
      if (task.serviceId && !hasEnded(task)) this.mark(slotKey(this.store.view, task));
    }
  }

  #markLive(task: TaskObject): void {
    if (task.serviceId && isLive(task)) this.mark(slotKey(this.store.view, task));
  }
}

/** Whether others of its slot hear that the task serves now, or that there is no place for it. */
function isAnswer(before: TaskObject, task: TaskObject): boolean {
  const runs = ({ status }: TaskObject) => status.state === TaskState.RUNNING;
  return (runs(task) && !runs(before)) || (isRefused(task) && !isRefused(before));
}

function reachChanged(node: NodeObject, before: NodeObject | undefined): boolean {
  return (
    before?.status.state !== node.status.state ||
    before.spec.availability !== node.spec.availability
  );
}
