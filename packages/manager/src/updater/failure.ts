import { type TaskObject, timestampMs } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { hasEnded, statusTimeMs } from '../orchestrator/slot.js';

/** How long an ended task was RUNNING, in ms; undefined when nobody was there to see it end. */
export type RanFor = (taskId: string) => number | undefined;

/**
 * Whether an updated task counts as the update's failure: it ended by itself before it ever ran, or
 * within the monitoring period (features.md 3.3). When its end was not observed (another manager
 * led), it failed if it was rejected or its whole life fits into the period.
 */
export function isFailure(task: TaskObject, monitorMs: number, ranFor: RanFor): boolean {
  if (!hasEnded(task) || task.status.state === TaskState.SHUTDOWN) return false;
  const ranMs = ranFor(task.id);
  if (ranMs !== undefined) return ranMs <= monitorMs;
  if (task.status.state === TaskState.REJECTED) return true;
  return statusTimeMs(task) - timestampMs(task.meta.createdAt) <= monitorMs;
}

/**
 * Whether more of the slots failed than the ratio allows; compared as 32-bit floats, as it is
 * stored.
 */
export function exceeds(failures: number, slots: number, maxFailureRatio: number): boolean {
  return slots > 0 && Math.fround(failures / slots) > Math.fround(maxFailureRatio);
}
