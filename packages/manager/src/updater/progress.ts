import type { ReadView } from '@skep/store';
import { type ServiceObject, type TaskObject, timestampMs } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { isTaskDirty } from '../orchestrator/dirty.js';
import { isLeaving } from '../orchestrator/leaving.js';
import { isLive, type Slot, statusTimeMs } from '../orchestrator/slot.js';

/** How far the running update has come in one slot. */
export type SlotProgress =
  /** Not of this update: it had nothing to do here, or the slot is new. */
  | { kind: 'untouched' }
  /** Still has to be replaced; of its tasks that serve all but one are `surplus`. */
  | { kind: 'dirty'; slot: Slot; surplus: readonly TaskObject[] }
  /** A new task is on its way; `surplus` are tasks in its place, live as well. */
  | { kind: 'starting'; fresh: TaskObject; surplus: readonly TaskObject[] }
  /**
   * The new task came to run, or ended without (`settledMs`: when). It may have been restarted
   * since.
   */
  | {
      kind: 'settled';
      task: TaskObject;
      settledMs: number;
      fresh: TaskObject | undefined;
      surplus: readonly TaskObject[];
    };

export type Dirty = Extract<SlotProgress, { kind: 'dirty' }>;
export type Starting = Extract<SlotProgress, { kind: 'starting' }>;
export type Settled = Extract<SlotProgress, { kind: 'settled' }>;

/**
 * Read from the slot's tasks alone, so that an update goes on where it was after a change of
 * leader.
 */
export function progressOf(view: ReadView, service: ServiceObject, slot: Slot): SlotProgress {
  const own = slot.filter((task) => task.desiredState < TaskState.REMOVE);
  const isDirty = (task: TaskObject) => isTaskDirty(view, service, task);
  const live = staying(view, service, own.filter(isLive));
  const newest = own.at(-1);
  const fresh = preferred(live.filter((task) => !isDirty(task)));
  if (!fresh && newest && (live.length > 0 || isDirty(newest))) {
    const serving = live.filter(({ status }) => status.state === TaskState.RUNNING);
    return { kind: 'dirty', slot, surplus: serving.slice(0, -1) };
  }

  const surplus = live.filter((task) => task !== fresh);
  const chain = updatedTasks(service, own, isDirty);
  const settled = chain.find((task) => task.status.state >= TaskState.RUNNING);
  if (settled) {
    return { kind: 'settled', task: settled, settledMs: statusTimeMs(settled), fresh, surplus };
  }
  const starting = chain.length > 0 || surplus.length > 0;
  return starting && fresh ? { kind: 'starting', fresh, surplus } : { kind: 'untouched' };
}

/** The live tasks of a slot that an update deals with: not one that already hands over to another. */
function staying(view: ReadView, service: ServiceObject, live: Slot): Slot {
  if (live.length < 2) return live;
  const rest = live.filter((task) => !isLeaving(view, service, task));
  return rest.length > 0 ? rest : live;
}

/** Of several clean tasks the one that may run already is kept, and the older one of equals. */
function preferred(clean: readonly TaskObject[]): TaskObject | undefined {
  return clean.find((task) => task.desiredState === TaskState.RUNNING) ?? clean[0];
}

/**
 * The tasks this update brought to the slot: those from the last step of an old spec to the present
 * one, made since the update began. The first is the updater's, the others are its restarts.
 */
function updatedTasks(
  service: ServiceObject,
  own: Slot,
  isDirty: (task: TaskObject) => boolean,
): readonly TaskObject[] {
  if (!service.updateStatus) return [];
  const lastDirty = own.findLastIndex(isDirty);
  const first = own[lastDirty + 1];
  if (lastDirty < 0 || !first) return [];
  const sinceMs = timestampMs(service.updateStatus.startedAt);
  return timestampMs(first.meta.createdAt) >= sinceMs ? own.slice(lastDirty + 1) : [];
}

/**
 * Tasks of a slot that the running update is judged by; the reaper leaves them until it is over. At
 * most three: the last of the old spec, the first of the new, and the one that settled the slot.
 */
export function evidence(view: ReadView, service: ServiceObject, slot: Slot): Set<TaskObject> {
  const own = slot.filter((task) => task.desiredState < TaskState.REMOVE);
  const lastDirty = own.findLastIndex((task) => isTaskDirty(view, service, task));
  const settled = own.slice(lastDirty + 1).find((task) => task.status.state >= TaskState.RUNNING);
  const kept = [own[lastDirty], own[lastDirty + 1], settled];
  return new Set(kept.filter((task) => task !== undefined));
}
