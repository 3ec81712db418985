import type { ReadView } from '@skep/store';
import {
  compareTimestamps,
  type NodeObject,
  type ServiceObject,
  type TaskObject,
  timestampMs,
} from '@skep/wire';
import { NodeSpec_Availability, NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { isJob, isPerNode } from './mode.js';
import type { Seat } from './new-task.js';

/**
 * The tasks of one seat of a service, oldest first: of a numbered slot (replicated services and
 * jobs) or of a node (global ones). Mostly one of them is live, and the others are its history.
 */
export type Slot = readonly TaskObject[];

/** Tells keys of nodes from those of numbers: 0 is a number of jobs. */
const NODE_MARK = '@';

/** Names a slot within the swarm; what loops that look at one slot at a time are keyed by. */
export function slotKey(view: ReadView, task: TaskObject): string {
  const service = view.get('service', task.serviceId);
  const perNode = service ? isPerNode(service) : task.slot === 0n;
  return `${task.serviceId}/${perNode ? NODE_MARK + task.nodeId : task.slot}`;
}

/** The service of a slot key. */
export function serviceOfSlotKey(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

/** The tasks behind a slot key, oldest first. */
export function slotOfKey(view: ReadView, key: string): Slot {
  const serviceId = serviceOfSlotKey(key);
  const name = key.slice(serviceId.length + 1);
  const seat = name.startsWith(NODE_MARK)
    ? { nodeId: name.slice(NODE_MARK.length) }
    : { slot: BigInt(name) };
  return oldestFirst(tasksOfSeat(view, serviceId, seat));
}

/** The tasks of a seat, in no order. */
export function tasksOfSeat(view: ReadView, serviceId: string, seat: Seat): readonly TaskObject[] {
  if ('slot' in seat) return view.slotsOfService(serviceId).get(seat.slot) ?? [];
  const { nodeId } = seat;
  const onNode = nodeId === '' ? view.tasksOfService(serviceId) : view.tasksOfNode(nodeId);
  return [...onNode].filter(
    (task) => task.serviceId === serviceId && task.slot === 0n && task.nodeId === nodeId,
  );
}

/** All slots of a service, by slot number or node id. */
export function slotsOf(view: ReadView, service: ServiceObject): Map<bigint | string, Slot> {
  const slots = new Map<bigint | string, Slot>();
  if (isPerNode(service)) {
    for (const [nodeId, group] of byNode(view.tasksOfService(service.id))) {
      slots.set(nodeId, byCreation(group));
    }
  } else {
    for (const [number, list] of view.slotsOfService(service.id))
      slots.set(number, oldestFirst(list));
  }
  return slots;
}

function byNode(tasks: Iterable<TaskObject>): Map<string, TaskObject[]> {
  const groups = new Map<string, TaskObject[]>();
  for (const task of tasks) {
    const group = groups.get(task.nodeId);
    if (group) group.push(task);
    else groups.set(task.nodeId, [task]);
  }
  return groups;
}

/** The seat of a new task in the place of this one. */
export function seatOf(service: ServiceObject, task: TaskObject): Seat {
  return isPerNode(service) ? { nodeId: task.nodeId } : { slot: task.slot };
}

/** The tasks of a slot that count: of a job those of its present run, else all. */
export function ofPresentRun(service: ServiceObject, slot: Slot): Slot {
  return isJob(service) ? slot.filter((task) => isOfPresentRun(service, task)) : slot;
}

/** Whether a job's task belongs to the run that its last update began. */
export function isOfPresentRun(
  { jobStatus }: ServiceObject,
  { jobIteration }: TaskObject,
): boolean {
  return (jobIteration?.index ?? 0n) === (jobStatus?.jobIteration?.index ?? 0n);
}

/** What {@link byCreation} made of the store's lists, which never change in place. */
const inOrder = new WeakMap<readonly TaskObject[], Slot>();

/** One of the store's lists of a slot's tasks, in order. The same list has the same order. */
export function oldestFirst(list: readonly TaskObject[]): Slot {
  let slot = inOrder.get(list);
  if (!slot) inOrder.set(list, (slot = byCreation(list)));
  return slot;
}

/** Oldest first. Of tasks made in the same instant the ones given up come first. */
function byCreation(tasks: Iterable<TaskObject>): TaskObject[] {
  const list = [...tasks];
  return list.length < 2 ? list : list.sort(compareCreation);
}

function compareCreation(a: TaskObject, b: TaskObject): number {
  const apart = compareTimestamps(a.meta.createdAt, b.meta.createdAt);
  if (apart !== 0) return apart;
  if (isLive(a) !== isLive(b)) return isLive(a) ? 1 : -1;
  if (a.meta.version.index !== b.meta.version.index) {
    return a.meta.version.index < b.meta.version.index ? -1 : 1;
  }
  return a.id < b.id ? -1 : 1;
}

/** Whether the task is still wanted; that of a job stays so when it has come to its end. */
export function isLive(task: TaskObject): boolean {
  return task.desiredState <= TaskState.COMPLETE;
}

/** Whether a job's task did what it was made for: it is never done again in the same run. */
export function isDone(task: TaskObject): boolean {
  return task.jobIteration !== undefined && task.status.state === TaskState.COMPLETE;
}

/** Whether the task has ended, in whatever way. */
export function hasEnded(task: TaskObject): boolean {
  return task.status.state > TaskState.RUNNING;
}

/** Whether the swarm was asked for a place for the task, an address or a port, and has none now. */
export function isRefused({ status }: TaskObject): boolean {
  return status.state < TaskState.ASSIGNED && status.err !== '';
}

/** Whether a node may not run replicated tasks: it is gone, down, or being emptied. */
export function isLost(node: NodeObject | undefined): boolean {
  return (
    node === undefined ||
    node.status.state === NodeStatus_State.DOWN ||
    node.spec.availability === NodeSpec_Availability.DRAIN
  );
}

/** When the task's present state was taken up by a manager (else: reported by its node), ms. */
export function statusTimeMs(task: TaskObject): number {
  return timestampMs(task.status.appliedAt ?? task.status.timestamp);
}

/**
 * When the task was made, ms, as far as waits go. Where the clock of the leader before was ahead,
 * tasks count as made after its ones, so in times to come: then it is when the task took its state.
 */
export function madeMs(task: TaskObject): number {
  return Math.min(timestampMs(task.meta.createdAt), statusTimeMs(task));
}

/**
 * What is left of a wait that began at `sinceMs`. The instant may come from another manager's
 * clock: when that was far ahead, the wait counts as over rather than lasting as long as the clocks
 * are apart.
 */
export function remainingMs(sinceMs: number, waitMs: number, nowMs: number): number {
  const leftMs = sinceMs + waitMs - nowMs;
  return leftMs > 2 * waitMs ? 0 : Math.max(0, leftMs);
}
