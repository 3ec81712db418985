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
import { KnownProgress, type SlotProgress } from './progress.js';
import { slotsOfUpdate } from './slots.js';
import { completed, paused, rolledBack, started, stopsFirst } from './status.js';

export interface UpdateContext extends PlanContext {
  ranFor: RanFor;
  /** What is known of slots in which nothing has changed since the last look. */
  known?: KnownProgress | undefined;
}

/**
 * What the updater does about a service now, and after how many ms it must look again by itself.
 */
export interface UpdatePlan {
  steps: Step[];
  waitMs?: number;
}

type Settled = Extract<SlotProgress, { kind: 'settled' }>;
type Dirty = Extract<SlotProgress, { kind: 'dirty' }>;

/**
 * One look at a service's update: begin it, go on with it, stop it over failures, or call it done.
 */
export function planUpdate(view: ReadView, serviceId: string, context: UpdateContext): UpdatePlan {
  const service = view.get('service', serviceId);
  if (!service || !isLongRunning(service)) return { steps: [] };
  const settlesMs = settlesInMs(service, context.nowMs);
  if (settlesMs > 0) return { steps: [], waitMs: settlesMs };
  const known = context.known ?? new KnownProgress();
  const { progress, leftOver } = slotsOfUpdate(view, service, known);
  const rollout = rolloutOf(service);
  const makingWay = slotsMakingWay(view, service, progress, context.nowMs);
  const steps = progress.flatMap((slot) => cleanUp(slot, rollout, makingWay.get(slot) === 0));
  for (const task of leftOver) steps.push([desire(task, TaskState.SHUTDOWN)]);
  // Slots that were in work when the update stopped come to their end; no other takes its turn.
  if (isPaused(service)) return { steps };
  if (isUpdating(service)) {
    const failed = judge(progress, rollout, context);
    if (failed) return { steps: [[updateService(stopped(service, rollout, failed))]] };
  }
  const turns = nextTurns(service, progress, rollout, context.nowMs);
  for (const slot of turns.slots) steps.push(replace(view, service, slot, rollout, context));
  const doneInMs = isUpdating(service) ? msUntilDone(progress, rollout, context.nowMs) : undefined;
  let next = service;
  if (!service.updateStatus && progress.some(needsUpdate)) next = started(service, context.nowMs);
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
function judge(
  progress: readonly SlotProgress[],
  rollout: Rollout,
  context: UpdateContext,
): TaskObject | undefined {
  if (rollout.failureAction === FailureAction.CONTINUE) return undefined;
  const failed = progress
    .filter(isSettled)
    .filter(({ task }) => isFailure(task, rollout.monitorMs, context.ranFor))
    .sort((a, b) => a.settledMs - b.settledMs);
  const slots = progress.filter(({ kind }) => kind !== 'untouched').length;
  return exceeds(failed.length, slots, rollout.maxFailureRatio) ? failed.at(-1)?.task : undefined;
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

/** Whether the slot asks for an update: it runs an old spec, or more than one task. */
function needsUpdate(slot: SlotProgress): boolean {
  return slot.kind === 'dirty' || (slot.kind !== 'untouched' && slot.surplus.length > 0);
}

/** The dirty slots whose turn it is, and when (in ms) the next one's comes by time alone. */
function nextTurns(
  service: ServiceObject,
  progress: readonly SlotProgress[],
  rollout: Rollout,
  nowMs: number,
): { slots: readonly Dirty[]; waitMs?: number } {
  const dirty = progress.filter((slot) => slot.kind === 'dirty');
  let starting = 0;
  let delayed = 0;
  let nextMs = Number.POSITIVE_INFINITY;
  for (const slot of progress) {
    if (slot.kind === 'starting') starting++;
    if (!isSettled(slot)) continue;
    const leftMs = remainingMs(slot.settledMs, rollout.delayMs, nowMs);
    if (leftMs === 0) continue;
    delayed++;
    nextMs = Math.min(nextMs, leftMs);
  }
  const free = Math.max(0, rollout.parallelism - starting - delayed);
  const slots = mayTakeAll(service, rollout) ? dirty : firstInTurn(dirty, free);
  return slots.length < dirty.length && delayed > 0 ? { slots, waitMs: nextMs } : { slots };
}

/** What another update had in work comes first: overtaking it takes no more slots than one update. */
function firstInTurn(dirty: readonly Dirty[], count: number): Dirty[] {
  if (count === 0 || dirty.length === 0) return [];
  const atRest = new Set(dirty.filter(isAtRest));
  return [...dirty.filter((slot) => !atRest.has(slot)), ...atRest].slice(0, count);
}

/** Whether the slot has one task, and that serves. */
function isAtRest({ slot }: Dirty): boolean {
  const live = slot.filter(isLive);
  return live.length === 1 && live.every(serves);
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
function msUntilDone(
  progress: readonly SlotProgress[],
  rollout: Rollout,
  nowMs: number,
): number | undefined {
  const watchMs = rollout.delayMs + lastWatchMs(rollout);
  let leftMs = 0;
  for (const slot of progress) {
    if (slot.kind === 'dirty' || slot.kind === 'starting') return undefined;
    if (!isSettled(slot)) continue;
    leftMs = Math.max(leftMs, remainingMs(slot.settledMs, watchMs, nowMs));
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

function isSettled(slot: SlotProgress): slot is Settled {
  return slot.kind === 'settled';
}
