import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  type Mount,
  Mount_Type,
  NodeSpec_Availability,
  NodeStatus_State,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import { isReplicated } from './mode.js';
import { isLive, type Slot } from './slot.js';

/**
 * Whether a task serves on a node that is being drained, and goes on until another of its slot runs
 * in its stead. Who stops it is the restart supervisor.
 */
export function isLeaving(view: ReadView, service: ServiceObject, task: TaskObject): boolean {
  if (!isLive(task) || task.status.state !== TaskState.RUNNING) return false;
  const node = view.get('node', task.nodeId);
  return (
    node?.spec.availability === NodeSpec_Availability.DRAIN &&
    node.status.state !== NodeStatus_State.DOWN &&
    isReplicated(service) &&
    mayOverlap(service)
  );
}

/** The tasks of a slot that came after one that is leaving: what is done about that. */
export function sinceLeaving(view: ReadView, service: ServiceObject, slot: Slot): Slot {
  const first = slot.findIndex((task) => isLeaving(view, service, task));
  return first < 0 ? [] : slot.slice(first + 1);
}

/**
 * Whether two tasks of a slot may run at a time though no update asked for it. What they write to
 * may be shared (two databases on one file system), so such services say so themselves: by
 * `start-first`.
 */
function mayOverlap({ spec }: ServiceObject): boolean {
  if (spec.update?.order === UpdateOrder.START_FIRST) return true;
  const { runtime } = spec.task;
  return runtime.case !== 'container' || !runtime.value.mounts.some(isKeptAndWritten);
}

/** Whether a mount holds data that outlives its task and that the task may change. */
function isKeptAndWritten({ type, readonly, source }: Mount): boolean {
  const isKept =
    type === Mount_Type.BIND || type === Mount_Type.CLUSTER || type === Mount_Type.VOLUME;
  return isKept && source !== '' && !readonly;
}
