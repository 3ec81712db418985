import { invariant } from '@skep/platform';
import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import type { SwarmFlaws } from '../flaws.js';
import { createTask, type Step, stop } from '../loop/plan.js';
import type { Decision } from '../loop/planner.js';
import { mayRestart } from '../restart/policy.js';
import { isActive, mayHaveTask } from './global.js';
import { making } from './making.js';
import { newTask, type PlanContext, type Seat } from './new-task.js';
import { freeSlots } from './replicated.js';
import {
  hasEnded,
  isDone,
  isLive,
  isOfPresentRun,
  ofPresentRun,
  type Slot,
  slotsOf,
} from './slot.js';

/** What became of a seat in a job's present run. */
type Progress =
  /** Nobody had it yet, or what ran there was stopped on the way and may run again. */
  | 'open'
  /** Its task is under way, or waits for the restart supervisor. */
  | 'taken'
  | 'done'
  /** Its task failed and may not be restarted: the seat stays empty until the next run. */
  | 'failed';

/**
 * Brings a replicated job on: as many tasks at a time as it allows, until each of its slots (0 …)
 * has had one that came to its end. An update begins a new run, which ends the one before.
 */
export function planReplicatedJob(
  view: ReadView,
  service: ServiceObject,
  context: PlanContext,
): Decision {
  const { mode } = service.spec;
  invariant(mode.case === 'replicatedJob', 'not a replicated job', { service: service.id });
  const { maxConcurrent, totalCompletions } = mode.value;
  const steps: Step[] = [];
  const occupied = new Set<bigint>();
  let underWay = 0;
  const slots = slotsOf(view, service);
  for (const [name, slot] of slots) {
    const number = BigInt(name);
    if (number >= totalCompletions) {
      // No later run has such a slot again, unless the job grows: its history goes with it.
      steps.push(...stop(slot, TaskState.REMOVE));
      continue;
    }
    steps.push(...stopEarlierRuns(service, slot, context.flaws));
    const progress = progressOf(service, slot, context.flaws);
    if (progress === 'taken') underWay++;
    if (progress !== 'open') occupied.add(number);
  }
  const room = Number(maxConcurrent) - underWay;
  const open = Number(totalCompletions) - occupied.size;
  const { count, wakes = [] } = making(view, service, Math.min(room, open));
  for (const slot of freeSlots(occupied, 0n, count)) {
    steps.push(begin(view, service, { slot }, slots.get(slot), context));
  }
  return { steps, wakes };
}

/** Brings a global job on: one task that comes to its end on each node that can have one. */
export function planGlobalJob(
  view: ReadView,
  service: ServiceObject,
  context: PlanContext,
): Decision {
  const slots = slotsOf(view, service);
  const steps: Step[] = [];
  for (const node of view.all('node')) {
    const slot = slots.get(node.id) ?? [];
    slots.delete(node.id);
    steps.push(...stopEarlierRuns(service, slot, context.flaws));
    const progress = progressOf(service, slot, context.flaws);
    if (progress === 'done') continue;
    if (!mayHaveTask(service, node)) {
      steps.push(...stop(ofPresentRun(service, slot), TaskState.SHUTDOWN));
    } else if (progress === 'open' && isActive(node)) {
      steps.push(begin(view, service, { nodeId: node.id }, slot, context));
    }
  }
  // What is left was on nodes that are no more; nobody will ever report those tasks stopped.
  for (const slot of slots.values()) steps.push(...stop(slot, TaskState.REMOVE));
  return { steps };
}

/** What of earlier runs still goes on is given up; what has ended is history. */
function stopEarlierRuns(service: ServiceObject, slot: Slot, flaws?: SwarmFlaws): Step[] {
  if (flaws?.has('former-run-goes-on')) return [];
  const late = slot.filter((task) => !isOfPresentRun(service, task) && !hasEnded(task));
  return stop(late, TaskState.REMOVE);
}

function progressOf(service: ServiceObject, slot: Slot, flaws?: SwarmFlaws): Progress {
  const run = flaws?.has('former-completions-count') ? slot : ofPresentRun(service, slot);
  const own = run.filter((task) => task.desiredState < TaskState.REMOVE);
  if (own.some(isDone)) return 'done';
  if (own.some(isLive)) return 'taken';
  const newest = own.at(-1);
  return !newest || mayRestart(newest, own) ? 'open' : 'failed';
}

/**
 * A run's first task in a seat. Where one of an earlier run still has to stop it is held back, and
 * the restart supervisor lets it go: two runs never work on the same at once.
 */
function begin(
  view: ReadView,
  service: ServiceObject,
  seat: Seat,
  slot: readonly TaskObject[] = [],
  context: PlanContext,
): Step {
  const stopping = slot.some((task) => !hasEnded(task));
  const desiredState = stopping ? TaskState.READY : TaskState.COMPLETE;
  return [createTask(newTask(view, service, seat, desiredState, context))];
}
