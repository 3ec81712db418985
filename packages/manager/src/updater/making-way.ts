import type { ReadView } from '@skep/store';
import { type ServiceObject, type TaskObject, timestampMs } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { constraintsOf, nodeMatches } from '../constraint/index.js';
import {
  hasEnded,
  isLive,
  isLost,
  isRefused,
  remainingMs,
  statusTimeMs,
} from '../orchestrator/slot.js';
import { hostPortsOf } from '../scheduler/demand.js';
import { HOST_PORT_IN_USE, MAX_REPLICAS_REACHED, takesTasks } from '../scheduler/filters.js';
import { MAKE_WAY_AFTER_MS } from './limits.js';
import type { SlotProgress, Starting } from './progress.js';

/**
 * The slots whose old task has to stop so that its successor can start, although the update starts
 * first, and in how many ms: the successor waits for a place, and what it lacks is what the old one
 * holds, a port of its node or its share of the replicas allowed there. Docker's update stands still
 * then. While another task of the service is just leaving its place nobody else has to.
 */
export function slotsMakingWay(
  view: ReadView,
  service: ServiceObject,
  starting: Iterable<Starting>,
  nowMs: number,
): Map<SlotProgress, number> {
  const blocked = [...starting].filter((slot) => isBlocked(view, service, slot));
  const quietMs = blocked.length > 0 ? (quietSinceMs(view, service) ?? nowMs) : nowMs;
  return new Map(
    blocked.map((slot) => {
      const sinceMs = Math.max(quietMs, timestampMs(slot.fresh.status.timestamp));
      return [slot, remainingMs(sinceMs, MAKE_WAY_AFTER_MS, nowMs)];
    }),
  );
}

/** Whether the end of one of a slot's old tasks is what its successor waits for. */
function isBlocked(view: ReadView, service: ServiceObject, { fresh, surplus }: Starting): boolean {
  if (!isRefused(fresh)) return false;
  const { err } = fresh.status;
  const ports = hostPortsOf(fresh);
  return surplus.some((old) => {
    if (!isAllowedAt(view, service, old.nodeId)) return false;
    if (err.includes(MAX_REPLICAS_REACHED)) return true;
    return err.includes(HOST_PORT_IN_USE) && hostPortsOf(old).some((port) => ports.includes(port));
  });
}

function isAllowedAt(view: ReadView, service: ServiceObject, nodeId: string): boolean {
  const node = view.get('node', nodeId);
  if (!node || !takesTasks(node)) return false;
  return nodeMatches(constraintsOf(service.spec.task.placement), node);
}

/** Since when no task of the service has left a place; undefined while one is leaving. */
function quietSinceMs(view: ReadView, service: ServiceObject): number | undefined {
  let sinceMs = 0;
  for (const task of view.tasksOfService(service.id)) {
    if (hasEnded(task)) sinceMs = Math.max(sinceMs, statusTimeMs(task));
    else if (isLeavingPlace(view, task)) return undefined;
  }
  return sinceMs;
}

/** Whether a task was told to stop and can be expected to do so. */
function isLeavingPlace(view: ReadView, task: TaskObject): boolean {
  const placed = task.status.state >= TaskState.ASSIGNED;
  return !isLive(task) && placed && !isLost(view.get('node', task.nodeId));
}
