import type { ReadView } from '@skep/store';
import { type TaskObject, timestampFromMs, timestampMs } from '@skep/wire';
import { NodeSpec_Availability, TaskState } from '@skep/wire/swarmkit';
import { constraintsOf, nodeMatches } from '../constraint/index.js';
import { type Step, updateTask } from '../loop/plan.js';
import { Remaining } from './resources.js';

/**
 * Rejects the tasks of a node that no longer satisfies their constraints or has not room for all of
 * them (features.md 3.4); the restart supervisor then finds them another. Only active nodes are
 * looked at: a drained one is emptied anyway, a paused one keeps what it has. Of tasks that do not
 * fit together the older stay.
 */
export function planEnforcement(view: ReadView, nodeId: string, nowMs: number): Step[] {
  const node = view.get('node', nodeId);
  if (node?.spec.availability !== NodeSpec_Availability.ACTIVE) return [];
  const resources = node.description?.resources;
  const remaining = resources && new Remaining(resources);
  const misplaced = bindingTasks(view, nodeId).filter((task) => {
    if (!nodeMatches(constraintsOf(placementOf(view, task)), node)) return true;
    const reserved = task.spec.resources?.reservations;
    return remaining !== undefined && !remaining.take(reserved, task.assignedGenericResources);
  });
  return misplaced.map((task) => [updateTask(rejected(task, nowMs))]);
}

/** The tasks that take room on the node, oldest first. */
function bindingTasks(view: ReadView, nodeId: string): TaskObject[] {
  const wanted = [...view.tasksOfNode(nodeId)].filter(
    ({ desiredState, status }) =>
      desiredState >= TaskState.ASSIGNED &&
      desiredState <= TaskState.COMPLETE &&
      status.state < TaskState.COMPLETE,
  );
  return wanted.sort((a, b) => {
    const apartMs = timestampMs(a.meta.createdAt) - timestampMs(b.meta.createdAt);
    return apartMs || (a.id < b.id ? -1 : 1);
  });
}

/**
 * The service's placement holds: a task that runs under an older one was kept because it fits both.
 */
function placementOf(view: ReadView, task: TaskObject) {
  const service = view.get('service', task.serviceId);
  return (service?.spec.task ?? task.spec).placement;
}

function rejected(task: TaskObject, nowMs: number): TaskObject {
  const now = timestampFromMs(nowMs);
  const status = {
    ...task.status,
    state: TaskState.REJECTED,
    message: 'task rejected by constraint enforcer',
    err: 'assigned node no longer meets constraints',
    timestamp: now,
    appliedAt: now,
  };
  return { ...task, status };
}
