import { invariant } from '@skep/platform';
import type { ReadView } from '@skep/store';
import { type ServiceObject, type TaskObject, timestampMs } from '@skep/wire';
import { TaskState, UpdateStatus_UpdateState as UpdateState } from '@skep/wire/swarmkit';
import { createTask, type Step, stop } from '../loop/plan.js';
import type { Decision } from '../loop/planner.js';
import { mayRestart } from '../restart/policy.js';
import { isTaskDirty } from './dirty.js';
import { making } from './making.js';
import { newTask, type PlanContext } from './new-task.js';
import { isLive, type Slot, slotsOf } from './slot.js';
import { victims } from './victims.js';

/**
 * Brings a replicated service to as many slots as its spec says. Looks at slots, not at their
 * tasks' health.
 */
export function planReplicated(
  view: ReadView,
  service: ServiceObject,
  context: PlanContext,
): Decision {
  const { mode } = service.spec;
  invariant(mode.case === 'replicated', 'not a replicated service', { service: service.id });
  const { held, idle } = sortSlots(view, service);
  const replicas = Number(mode.value.replicas);
  const steps: Step[] = [];
  const { count, wakes = [] } = making(view, service, replicas - held.size);
  const fresh = freeSlots(held, 1n, count);
  for (const slot of fresh) {
    const task = newTask(view, service, { slot }, TaskState.RUNNING, context);
    steps.push([createTask(task)]);
    idle.delete(slot);
  }
  const surplus = victims(held, held.size - replicas);
  // A slot is given up history and all; the reaper deletes each task once it has stopped.
  for (const slot of [...surplus, ...idle.values()]) steps.push(...stop(slot, TaskState.REMOVE));
  return { steps, wakes };
}

/**
 * Whether somebody sits in the slot: a task that is wanted, or one that ended and may not be
 * restarted. The latter keeps its slot empty until the service is updated.
 */
export function isHeld(view: ReadView, service: ServiceObject, slot: Slot): boolean {
  if (slot.some(isLive)) return true;
  const own = slot.filter((task) => task.desiredState < TaskState.REMOVE);
  const newest = own.at(-1);
  if (!newest) return false;
  return !mayRestart(newest, own) && !isRevived(view, service, newest);
}

/**
 * A rollback ends with every slot filled, so it revives those that had ended before it under its
 * own spec.
 */
function isRevived(view: ReadView, service: ServiceObject, newest: TaskObject): boolean {
  const { updateStatus } = service;
  if (updateStatus?.state !== UpdateState.ROLLBACK_STARTED) return false;
  const older = timestampMs(newest.meta.createdAt) < timestampMs(updateStatus.startedAt);
  return older && !isTaskDirty(view, service, newest);
}

function sortSlots(view: ReadView, service: ServiceObject) {
  const held = new Map<bigint, Slot>();
  const idle = new Map<bigint, Slot>();
  for (const [name, slot] of slotsOf(view, service)) {
    (isHeld(view, service, slot) ? held : idle).set(BigInt(name), slot);
  }
  return { held, idle };
}

/** The lowest numbers, from `first` on, that nobody holds. */
export function freeSlots(
  held: Pick<ReadonlySet<bigint>, 'has'>,
  first: bigint,
  count: number,
): bigint[] {
  const free: bigint[] = [];
  for (let slot = first; free.length < count; slot++) if (!held.has(slot)) free.push(slot);
  return free;
}
