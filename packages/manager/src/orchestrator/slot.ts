import type { ReadView } from '@skep/store';
import { type NodeObject, type ServiceObject, type TaskObject, timestampMs } from '@skep/wire';
import { NodeSpec_Availability, NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { isGlobal } from './mode.js';
import type { Seat } from './new-task.js';

/**
 * The tasks of one seat of a service, oldest first: of a slot (replicated) or of a node (global).
 * Mostly one of them is live, and the others are its history.
 */
export type Slot = readonly TaskObject[];

/** Names a slot within the swarm; what loops that look at one slot at a time are keyed by. */
export function slotKey(task: TaskObject): string {
  return `${task.serviceId}/${task.slot}/${task.slot === 0n ? task.nodeId : ''}`;
}

/** The service of a slot key. */
export function serviceOfSlotKey(key: string): string {
  return key.slice(0, key.indexOf('/'));
}

/** The tasks behind a slot key, oldest first. */
export function slotOfKey(view: ReadView, key: string): Slot {
  const [serviceId = '', slotText = '0', nodeId = ''] = key.split('/');
  const slot = BigInt(slotText);
  if (slot !== 0n) return byCreation(view.tasksOfSlot(serviceId, slot));
  const onNode = nodeId === '' ? view.tasksOfService(serviceId) : view.tasksOfNode(nodeId);
  const mine = [...onNode].filter(
    (task) => task.serviceId === serviceId && task.slot === 0n && task.nodeId === nodeId,
  );
  return byCreation(mine);
}

/** All slots of a service, by slot number or node id. */
export function slotsOf(view: ReadView, service: ServiceObject): Map<bigint | string, Slot> {
  const global = isGlobal(service);
  const groups = new Map<bigint | string, TaskObject[]>();
  for (const task of view.tasksOfService(service.id)) {
    const name = global ? task.nodeId : task.slot;
    const group = groups.get(name);
    if (group) group.push(task);
    else groups.set(name, [task]);
  }
  const slots = new Map<bigint | string, Slot>();
  for (const [name, group] of groups) slots.set(name, byCreation(group));
  return slots;
}

/** The seat of a new task in the place of this one. */
export function seatOf(task: TaskObject): Seat {
  return task.slot === 0n ? { nodeId: task.nodeId } : { slot: task.slot };
}

/** Oldest first. Of tasks made in the same instant the ones given up come first. */
function byCreation(tasks: Iterable<TaskObject>): TaskObject[] {
  const list = [...tasks];
  return list.length < 2 ? list : list.sort(compareCreation);
}

function compareCreation(a: TaskObject, b: TaskObject): number {
  const apartMs = timestampMs(a.meta.createdAt) - timestampMs(b.meta.createdAt);
  if (apartMs !== 0) return apartMs;
  if (isLive(a) !== isLive(b)) return isLive(a) ? 1 : -1;
  if (a.meta.version.index !== b.meta.version.index) {
    return a.meta.version.index < b.meta.version.index ? -1 : 1;
  }
  return a.id < b.id ? -1 : 1;
}

/** Whether the task is still wanted. */
export function isLive(task: TaskObject): boolean {
  return task.desiredState <= TaskState.RUNNING;
}

/** Whether the task has ended, in whatever way. */
export function hasEnded(task: TaskObject): boolean {
  return task.status.state > TaskState.RUNNING;
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
 * What is left of a wait that began at `sinceMs`. The instant may come from another manager's
 * clock: when that was far ahead, the wait counts as over rather than lasting as long as the clocks
 * are apart.
 */
export function remainingMs(sinceMs: number, waitMs: number, nowMs: number): number {
  const leftMs = sinceMs + waitMs - nowMs;
  return leftMs > 2 * waitMs ? 0 : Math.max(0, leftMs);
}
