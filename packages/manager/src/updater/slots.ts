import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { isActive, mayHaveTask } from '../orchestrator/global.js';
import { isReplicated } from '../orchestrator/mode.js';
import { isHeld } from '../orchestrator/replicated.js';
import { isLive, slotsOf } from '../orchestrator/slot.js';
import type { KnownProgress, SlotProgress } from './progress.js';

export interface SlotsOfUpdate {
  /** How far each slot is that the update deals with, in order. */
  progress: SlotProgress[];
  /** Tasks on paused nodes that an overtaken update left there besides the one that is kept. */
  leftOver: TaskObject[];
}

/**
 * The slots an update works on: numbers, or nodes that take tasks. A node that was paused while its
 * slot was in work is no reason to leave two tasks there: what has reached it comes to its end.
 */
export function slotsOfUpdate(
  view: ReadView,
  service: ServiceObject,
  known: KnownProgress,
): SlotsOfUpdate {
  const slots = [...slotsOf(view, service)].filter(([, slot]) => isHeld(view, service, slot));
  if (isReplicated(service)) {
    const sorted = slots.sort(([a], [b]) => (a < b ? -1 : 1));
    return { progress: sorted.map(([, slot]) => known.of(view, service, slot)), leftOver: [] };
  }
  const progress: SlotProgress[] = [];
  const leftOver: TaskObject[] = [];
  for (const [nodeId, slot] of slots) {
    const node = view.get('node', String(nodeId));
    if (!node || !mayHaveTask(service, node)) continue;
    const came = known.of(view, service, slot);
    if (isActive(node) || goesOn(came)) progress.push(came);
    else if (came.kind === 'dirty') leftOver.push(...allButOne(slot.filter(isLive)));
  }
  return { progress, leftOver };
}

/** Whether a paused node has the slot's new task: one that it has not got it does not get now. */
function goesOn(slot: SlotProgress): boolean {
  if (slot.kind === 'starting') return slot.fresh.status.state >= TaskState.ASSIGNED;
  return slot.kind === 'settled';
}

/** One stays, best one that serves. Unlike a slot that waits its turn, none of the others comes to run. */
function allButOne(live: readonly TaskObject[]): TaskObject[] {
  const kept = live.findLast(({ status }) => status.state === TaskState.RUNNING) ?? live.at(-1);
  return live.filter((task) => task !== kept);
}
