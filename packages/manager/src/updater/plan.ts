import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  UpdateConfig_FailureAction as FailureAction,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import { createTask, desire, type Step, updateService } from '../loop/plan.js';
import { isGlobal, isLongRunning } from '../orchestrator/mode.js';
import { newTask, type PlanContext } from '../orchestrator/new-task.js';
import { isLive, remainingMs, type Slot, seatOf } from '../orchestrator/slot.js';
import { settlesInMs } from '../versions/before.js';
import type { Board } from './board.js';
import {
  isPaused,
  isRollingBack,
  isUpdating,
  lastWatchMs,
  type Rollout,
  rolloutOf,
} from './config.js';
import { exceeds, isFailure, type RanFor } from './failure.js';
import { slotsMakingWay } from './making-way.js';
import type { Dirty, SlotProgress } from './progress.js';
import { SlotReader } from './slots.js';
import { completed, paused, rolledBack, started, stopsFirst } from './status.js';

export interface UpdateContext extends PlanContext {
  ranFor: RanFor;
  /** Knows the slots in which nothing has changed since the last look. */
  reader?: SlotReader | undefined;
}

/**
 * What the updater does about a service now, and after how many ms it must look again by itself.
 */
export interface UpdatePlan {
  steps: Step[];
  waitMs?: number;
}

/**
 * One look at a service's update: begin it, go on with it, stop it over failures, or call it done.
 */
export function planUpdate(view: ReadView, serviceId: string, context: UpdateContext): UpdatePlan {
  const service = view.get('service', serviceId);
  if (!service || !isLongRunning(service)) return { steps: [] };
  const settlesMs = settlesInMs(service, context.nowMs);
  if (settlesMs > 0) return { steps: [], waitMs: settlesMs };
  const reader = context.reader ?? new SlotReader();
  const { board, leftOver } = reader.read(view, service);
  const rollout = rolloutOf(service);
  const makingWay = slotsMakingWay(view, service, board.starting, context.nowMs);
  const steps: Step[] = [];
  for (const slot of board.crowded) {
    for (const step of cleanUp(slot, rollout, makingWay.get(slot) === 0)) steps.push(step);
  }
  for (const task of leftOver) steps.push([desire(task, TaskState.SHUTDOWN)]);
  // Slots that were in work when the update stopped come to their end; no other takes its turn.
  if (isPaused(service)) return { steps };
  if (isUpdating(service)) {
    const failed = judge(board, rollout, context);
    if (failed) return { steps: [[updateService(stopped(service, rollout, failed))]] };
  }
  const turns = nextTurns(service, board, rollout, context.nowMs);
  for (const slot of turns.slots) steps.push(replace(view, service, slot, rollout, context));
  const doneInMs = isUpdating(service) ? msUntilDone(board, rollout, context.nowMs) : undefined;
  let next = service;
  if (!service.updateStatus && needsUpdate(board)) next = started(service, context.nowMs);
  else if (doneInMs === 0) next = completed(service, context.nowMs);
  for (const [slot, inMs] of makingWay) {
    const tells = slot.kind === 'starting' && inMs === 0 && isUpdating(next);
    if (tells) next = stopsFirst(next, slot.fresh);
  }
  if (next !== service) steps.push([updateService(next)]);
  const waitsMs = [turns.waitMs ?? doneInMs ?? 0, ...makingWay.values()].filter((ms) => ms > 0);
  return waitsMs.length === 0 ? { steps } : { steps, waitMs: Math.min(...waitsMs) };
}

/** The task whose failure was one too many, if any. */
function judge(board: Board, rollout: Rollout, context: UpdateContext): TaskObject | undefined {
  if (rollout.failureAction === FailureAction.CONTINUE) return undefined;
  const failed = [...board.ended]
    .filter(({ task }) => isFailure(task, rollout.monitorMs, context.ranFor))
    .sort((a, b) => a.settledMs - b.settledMs);
  return exceeds(failed.length, board.size, rollout.maxFailureRatio)
    ? failed.at(-1)?.task
    : undefined;
}

function stopped(service: ServiceObject, rollout: Rollout, failed: TaskObject): ServiceObject {
  const forward = rollout.failureAction === FailureAction.ROLLBACK && service.previousSpec;
  return forward && !isRollingBack(service) ? rolledBack(service, failed) : paused(service, failed);
}

/** Stops what a slot's new task leaves without work, or what has to make way for it. */
function cleanUp(slot: SlotProgress, { order }: Rollout, makesWay: boolean): Step[] {
  if (slot.kind === 'untouched') return [];
  // The update that started the other was overtaken just when that came to run.
  if (slot.kind === 'dirty') return slot.surplus.map((task) => [desire(task, TaskState.SHUTDOWN)]);
  const startsFirst = order === UpdateOrder.START_FIRST && !makesWay;
  const keepServing = startsFirst && !(slot.fresh && serves(slot.fresh));
  const needless = keepServing ? allButOneServing(slot.surplus) : slot.surplus;
  return needless.map((task) => [desire(task, TaskState.SHUTDOWN)]);
}

/** Whether a slot asks for an update: it runs an old spec, or more than one task. */
function needsUpdate({ dirtyCount, crowded }: Board): boolean {
  return dirtyCount > 0 || crowded.size > 0;
}

/** The dirty slots whose turn it is, and when (in ms) the next one's comes by time alone. */
function nextTurns(
  service: ServiceObject,
  board: Board,
  rollout: Rollout,
  nowMs: number,
): { slots: readonly Dirty[]; waitMs?: number } {
  const delaysMs = delaysLeftMs(board, rollout, nowMs);
  const busy = board.starting.size + delaysMs.length;
  const free = Math.max(0, rollout.parallelism - busy);
  const slots = board.nextDirty(mayTakeAll(service, rollout) ? Number.POSITIVE_INFINITY : free);
  const waits = slots.length < board.dirtyCount && delaysMs.length > 0;
  return waits ? { slots, waitMs: Math.min(...delaysMs) } : { slots };
}

/** For how long (ms) settled slots still keep others from their turn. */
function delaysLeftMs({ settled }: Board, { delayMs }: Rollout, nowMs: number): number[] {
  if (delayMs === 0) return [];
  return [...settled]
    .map(({ settledMs }) => remainingMs(settledMs, delayMs, nowMs))
    .filter((leftMs) => leftMs > 0);
}

/** A node that comes back to a global service after its update is brought up to date at once. */
function mayTakeAll(service: ServiceObject, { parallelism }: Rollout): boolean {
  const late = service.updateStatus !== undefined && !isUpdating(service);
  return parallelism === 0 || (late && isGlobal(service));
}

/** Puts a task of the present spec into the slot, before or after the old one stops. */
function replace(
  view: ReadView,
  service: ServiceObject,
  { slot, surplus }: Dirty,
  { order }: Rollout,
  context: PlanContext,
): Step {
  const live = slot.filter((task) => isLive(task) && !surplus.includes(task));
  const seat = seatOf(service, slot[0] as TaskObject);
  const stopFirst = order === UpdateOrder.STOP_FIRST && live.length > 0;
  // Held back at READY it fetches its image while the old task stops; the restart supervisor lets
  // it go.
  const desiredState = stopFirst ? TaskState.READY : TaskState.RUNNING;
  const fresh = createTask(newTask(view, service, seat, desiredState, context));
  const given = stopFirst ? live : allButOneServing(live);
  return [fresh, ...given.map((task) => desire(task, TaskState.SHUTDOWN))];
}

/** Ms until the update is done if nothing fails; undefined while slots are in work. */
function msUntilDone(board: Board, rollout: Rollout, nowMs: number): number | undefined {
  if (board.dirtyCount > 0 || board.starting.size > 0) return undefined;
  const watchMs = rollout.delayMs + lastWatchMs(rollout);
  let leftMs = 0;
  for (const { settledMs } of board.settled) {
    leftMs = Math.max(leftMs, remainingMs(settledMs, watchMs, nowMs));
  }
  return leftMs;
}

/**
 * The tasks of a slot that need not wait for a successor: one is enough to serve. There are two where an
 * update was overtaken by the next just when its task came to run.
 */
function allButOneServing(tasks: Slot): Slot {
  const kept = tasks.findLast(serves);
  return tasks.filter((task) => task !== kept);
}

function serves({ status }: TaskObject): boolean {
  return status.state === TaskState.RUNNING;
}
