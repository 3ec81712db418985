import { drainMs, type TaskObject } from '@skep/wire';
import { DRAIN_MS_DEFAULT, STOP_GRACE_LEFT_MS_MIN } from '../limits.js';
import { overlayNetworkIds } from '../request/networks.js';

const MS_PER_S = 1_000;

/** Whether balancers and names can lead to the task, so that it must be withdrawn before it stops. */
export function isReachable(task: TaskObject): boolean {
  return overlayNetworkIds(task).length > 0;
}

/**
 * How long connections may last on before the task's process is told to end: what the service's label
 * asks for, within the grace period.
 */
export function drainMaxMs(labels: Readonly<Record<string, string>>, graceMs: number): number {
  return Math.min(Math.max(0, drainMs(labels) ?? DRAIN_MS_DEFAULT), graceMs);
}

/**
 * Whole seconds from the signal to the kill, as the engine takes them: what draining left of the grace
 * period, and a moment in any case.
 */
export function stopTimeoutSeconds(graceMs: number, drainedMs: number): number {
  const leastMs = Math.min(graceMs, STOP_GRACE_LEFT_MS_MIN);
  const restMs = Math.max(graceMs - Math.round(drainedMs / MS_PER_S) * MS_PER_S, leastMs);
  return Math.trunc(restMs / MS_PER_S);
}
