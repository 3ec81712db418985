import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import { NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { removeTask, type Step } from '../loop/plan.js';
import { sinceLeaving } from '../orchestrator/leaving.js';
import { isJob } from '../orchestrator/mode.js';
import { findCluster } from '../orchestrator/new-task.js';
import {
  hasEnded,
  isDone,
  isLive,
  isOfPresentRun,
  ofPresentRun,
  type Slot,
  serviceOfSlotKey,
  slotOfKey,
  statusTimeMs,
} from '../orchestrator/slot.js';
import { isUpdating } from '../updater/config.js';
import { evidence } from '../updater/progress.js';
import { UNHEARD_TASKS_MAX } from './limits.js';

/** Tasks kept for each slot when no cluster object says otherwise (features.md 3.2). */
const HISTORY_LIMIT_DEFAULT = 5;

/** Deletes what a slot (or a task without service, under its own key) no longer has to keep. */
export function planReaping(view: ReadView, key: string): Step[] {
  const slot = slotOfKey(view, key);
  const given = slot.filter((task) => isGivenUp(view, task));
  const service = view.get('service', serviceOfSlotKey(key));
  const rest = slot.filter((task) => !given.includes(task));
  const old = service ? beyondHistory(view, service, rest) : [];
  return [...given, ...old].map((task) => [removeTask(task.id)]);
}

/** Deletes a task that belongs to no service (a container's network attachment) once it has ended. */
export function planUnowned(view: ReadView, taskId: string): Step[] {
  const task = view.get('task', taskId);
  const over = task && (hasEnded(task) || isGivenUp(view, task));
  return over ? [[removeTask(taskId)]] : [];
}

/** Whether a task of a slot that was given up has nothing left to stop. */
export function isGivenUp(view: ReadView, task: TaskObject): boolean {
  if (task.desiredState !== TaskState.REMOVE) return false;
  const { state } = task.status;
  if (state < TaskState.ASSIGNED || state >= TaskState.COMPLETE) return true;
  return view.get('node', task.nodeId) === undefined;
}

/**
 * The oldest ended tasks over the limit, and the oldest over theirs of those on nodes that are down.
 * All tasks of the slot count, the live one included.
 */
function beyondHistory(view: ReadView, service: ServiceObject, slot: Slot): TaskObject[] {
  const limit = historyLimit(view, service);
  if (limit < 0 || slot.length <= limit) return [];
  const kept = keptAnyway(view, service, slot);
  const rest = slot.filter((task) => !kept.has(task)).sort(byStatusTime);
  const ended = rest.filter((task) => isOver(service, task)).slice(0, slot.length - limit);
  const unheard = rest.filter((task) => isUnheard(view, task));
  const tooMany = Math.max(0, unheard.length - Math.max(limit, UNHEARD_TASKS_MAX));
  return [...ended, ...unheard.slice(0, tooMany)];
}

/** What the other loops still read of a slot's past. */
function keptAnyway(view: ReadView, service: ServiceObject, slot: Slot): Set<TaskObject> {
  const kept = isUpdating(service) ? evidence(view, service, slot) : new Set<TaskObject>();
  for (const task of sinceLeaving(view, service, slot)) kept.add(task);
  const present = ofPresentRun(service, slot);
  const newest = present.at(-1);
  // Without a live task the newest is what says that the slot must not be filled again.
  if (newest && !present.some(isLive)) kept.add(newest);
  return kept;
}

function byStatusTime(a: TaskObject, b: TaskObject): number {
  return statusTimeMs(a) - statusTimeMs(b);
}

/** Whether a task was told to stop and its node, which is down, cannot say that it did. */
function isUnheard(view: ReadView, task: TaskObject): boolean {
  if (isLive(task) || hasEnded(task) || task.status.state < TaskState.ASSIGNED) return false;
  return view.get('node', task.nodeId)?.status.state === NodeStatus_State.DOWN;
}

/** A policy that counts attempts needs that many tasks to count; negative keeps all. */
function historyLimit(view: ReadView, service: ServiceObject): number {
  const attempts = service.spec.task.restart?.maxAttempts ?? 0n;
  if (attempts > 0n) return Number(attempts) + 1;
  const limit = findCluster(view)?.spec.orchestration.taskHistoryRetentionLimit;
  return limit === undefined ? HISTORY_LIMIT_DEFAULT : Number(limit);
}

/**
 * Ended and dealt with, or told to stop before it was given to a node. What came to its end in a
 * job's present run is not over: it says that the slot is done.
 */
function isOver(service: ServiceObject, task: TaskObject): boolean {
  const present = !isJob(service) || isOfPresentRun(service, task);
  if (present && (isLive(task) || isDone(task))) return false;
  return hasEnded(task) || task.status.state < TaskState.ASSIGNED;
}
