import { durationMs, type TaskObject } from '@skep/wire';
import { RestartPolicy_RestartCondition as Condition, TaskState } from '@skep/wire/swarmkit';
import { isDone, madeMs, type Slot, statusTimeMs } from '../orchestrator/slot.js';

/** Wait before a replacement starts when the policy does not say (features.md 3.2). */
const RESTART_DELAY_DEFAULT_MS = 5_000;

/**
 * Whether the policy of an ended (or lost) task allows a replacement. `slot` is its whole slot,
 * oldest first: earlier tasks of the same spec version are the restarts that were spent, so that
 * nothing but the store has to be remembered. The reaper keeps as many as this needs. A job's task
 * that came to its end is never replaced, whatever the policy says.
 */
export function mayRestart(task: TaskObject, slot: Slot): boolean {
  if (isDone(task)) return false;
  const policy = task.spec.restart;
  const condition = policy?.condition ?? Condition.ANY;
  if (condition === Condition.NONE) return false;
  if (condition === Condition.ON_FAILURE && task.status.state === TaskState.COMPLETE) return false;
  if (!policy || policy.maxAttempts === 0n) return true;
  return BigInt(restartsSpent(task, slot)) < policy.maxAttempts;
}

/**
 * Restarts in the slot up to this task under its spec version; with a window, those that lie within
 * it.
 */
function restartsSpent(task: TaskObject, slot: Slot): number {
  const sameSpec = slot.filter(
    (other) => other === task || versionOrNone(other) === versionOrNone(task),
  );
  const restarts = sameSpec.slice(1);
  const windowMs = durationMs(task.spec.restart?.window);
  if (windowMs === 0) return restarts.length;
  const endedMs = statusTimeMs(task);
  return restarts.filter((restart) => {
    const createdMs = madeMs(restart);
    return createdMs > endedMs - windowMs && createdMs <= endedMs;
  }).length;
}

function versionOrNone(task: TaskObject): bigint {
  return task.specVersion?.index ?? -1n;
}

/** How long a replacement of this task is held back, in ms. */
export function restartDelayMs(task: TaskObject): number {
  return durationMs(task.spec.restart?.delay, RESTART_DELAY_DEFAULT_MS);
}
