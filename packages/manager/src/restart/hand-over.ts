import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import { NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { isLeaving } from '../orchestrator/leaving.js';
import {
  hasEnded,
  isLive,
  isRefused,
  madeMs,
  remainingMs,
  type Slot,
} from '../orchestrator/slot.js';
import { HAND_OVER_FAILURES_MAX, HAND_OVER_MS_MAX, UNHEARD_NODES_RECHECK_MS } from './limits.js';
import { mayRestart } from './policy.js';

/** What becomes of a task that still serves on a node that is being drained. */
export type HandOver =
  /** Nobody was asked yet to take its place. */
  | { kind: 'ask' }
  /** Another is on its way; looked at again after `waitMs` if nothing else happens. */
  | { kind: 'wait'; waitMs: number }
  /** Another runs. */
  | { kind: 'over' }
  /** No other comes to run in time, or at all: it goes as tasks of lost nodes do. */
  | { kind: 'vain' };

/** Read from the slot alone, so that a new leader goes on with it. */
export function handOver(
  view: ReadView,
  service: ServiceObject,
  slot: Slot,
  task: TaskObject,
  nowMs: number,
): HandOver {
  const after = slot.slice(slot.indexOf(task) + 1);
  const live = after.filter(isLive);
  // Where its successor is drained too, that one has to find somebody.
  if (live.some((other) => isLeaving(view, service, other))) return { kind: 'over' };
  const stayed = slot.filter((other) => isLive(other) && !isLeaving(view, service, other));
  if (stayed.some(({ status }) => status.state === TaskState.RUNNING)) return { kind: 'over' };

  const failures = after.filter(hasEnded).length;
  if (!mayRestart(task, slot) || failures >= HAND_OVER_FAILURES_MAX) return { kind: 'vain' };
  const [first] = after;
  const next = stayed.at(-1);
  if (!first || !next) return { kind: 'ask' };
  const leftMs = remainingMs(madeMs(first), HAND_OVER_MS_MAX, nowMs);
  if (leftMs === 0) return { kind: 'vain' };
  if (!isRefused(next)) return { kind: 'wait', waitMs: leftMs };
  return hasUnheardNodes(view)
    ? { kind: 'wait', waitMs: UNHEARD_NODES_RECHECK_MS }
    : { kind: 'vain' };
}

/** After a change of leader no node takes tasks until it was heard of. */
function hasUnheardNodes(view: ReadView): boolean {
  for (const { status } of view.all('node')) {
    if (status.state === NodeStatus_State.UNKNOWN) return true;
  }
  return false;
}
