import type { Commit, ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  NodeSpec_Availability,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import { must } from '../engine/index.js';

/** States of a task only move forward, what is wished for it too, and its node never changes. */
export class TaskForwardChecker {
  readonly #machine: string;

  constructor(machine: string) {
    this.#machine = machine;
  }

  commit({ changes }: Commit): void {
    for (const change of changes) {
      if (change.table !== 'task' || change.kind !== 'update') continue;
      this.#compare(change.before, change.object);
    }
  }

  #compare(before: TaskObject, after: TaskObject): void {
    const moved = (from: number, to: number) => `${TaskState[from]} to ${TaskState[to]}`;
    const [was, is] = [before.status.state, after.status.state];
    must(is >= was, 'task-forward', () => `${this.#machine}: ${after.id} from ${moved(was, is)}`);
    must(
      after.desiredState >= before.desiredState,
      'task-forward',
      () =>
        `${this.#machine}: ${after.id} wished ${moved(before.desiredState, after.desiredState)}`,
    );
    must(
      before.nodeId === '' || before.nodeId === after.nodeId,
      'task-stays',
      () => `${this.#machine}: ${after.id} moved from ${before.nodeId} to ${after.nodeId}`,
    );
  }
}

/** Whether a task holds its slot: it runs, and is wished to. */
function holdsSlot(task: TaskObject): boolean {
  const { RUNNING } = TaskState;
  return task.status.state === RUNNING && task.desiredState === RUNNING;
}

/** Where a task stands: a slot of a replicated service, or a node of a global one. */
function slotOf(task: TaskObject): string {
  return `${task.serviceId}/${task.slot > 0n ? task.slot : task.nodeId}`;
}

/**
 * No slot twice: never two tasks RUNNING with both wished to be, but in as many slots as a service that
 * starts first is updated at a time. A task whose node was drained while it ran does not count: it hands
 * over to the next, and may be overtaken by its node's return. Nor does one that came after another of its
 * spec had failed: the update had gone on to other slots by then, and the old one served on.
 */
export class SlotChecker {
  /** Tasks seen on a node that is being drained; shared by managers that are at different entries. */
  readonly #leaving = new Set<string>();

  /** Asked of one consistent state. */
  check(view: ReadView): void {
    const holders = new Map<string, string>();
    const beyond = new Map<string, number>();
    for (const task of view.all('task')) {
      if (task.serviceId === '' || !holdsSlot(task)) continue;
      if (isDrained(view, task)) this.#leaving.add(task.id);
      if (this.#leaving.has(task.id)) continue;
      const slot = slotOf(task);
      const other = holders.get(slot);
      holders.set(slot, task.id);
      if (other === undefined || isRetry(view, task) || isRetry(view, view.get('task', other)))
        continue;
      const count = (beyond.get(task.serviceId) ?? 0) + 1;
      beyond.set(task.serviceId, count);
      must(
        count <= beyondMax(view.get('service', task.serviceId)),
        'slot-once',
        () => `${other} and ${task.id} both run in ${slot}, as ${count} of the service do`,
      );
    }
  }
}

/** Whether another task of the same spec failed in the slot. */
function isRetry(view: ReadView, task: TaskObject | undefined): boolean {
  if (!task) return false;
  for (const other of view.tasksOfService(task.serviceId)) {
    const isSameSpec = other.specVersion?.index === task.specVersion?.index;
    const hasFailed = other.status.state === TaskState.FAILED;
    if (hasFailed && isSameSpec && slotOf(other) === slotOf(task)) return true;
  }
  return false;
}

/** How many tasks more than its slots a service may have that run. */
function beyondMax(service: ServiceObject | undefined): number {
  // Of one that is gone nothing says how it was updated.
  if (!service) return Number.POSITIVE_INFINITY;
  const { rollback, update } = service.spec;
  if (update?.order !== UpdateOrder.START_FIRST) return 0;
  const atOnce = [update, rollback].map((config) => Number(config?.parallelism ?? 1));
  return atOnce.includes(0) ? Number.POSITIVE_INFINITY : Math.max(...atOnce);
}

function isDrained(view: ReadView, { nodeId }: TaskObject): boolean {
  return view.get('node', nodeId)?.spec.availability === NodeSpec_Availability.DRAIN;
}

/** A task runs at one place: containers of it never run on two machines at one time. */
export class PlaceChecker {
  readonly #places = new Map<string, string>();

  started(taskId: string, machine: string): void {
    const other = this.#places.get(taskId);
    must(
      other === undefined || other === machine,
      'task-stays',
      () => `${taskId} was started on ${other} and on ${machine}`,
    );
    this.#places.set(taskId, machine);
  }
}
