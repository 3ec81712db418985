import type { ReadView } from '@skep/store';
import type { NetworkObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import type { AddressPlan } from './address-plan.js';

/**
 * Refuses a task the last addresses of a network where nodes will need them: a task can only run where its
 * node has one of its own, so that one more task would keep others from running. Throws `AllocationError`.
 */
export function leaveRoomForNodes(
  plan: AddressPlan,
  view: ReadView,
  task: TaskObject,
  { id: networkId }: NetworkObject,
): void {
  const free = plan.free(networkId);
  if (free > view.count('node')) return;
  const isMissing = (nodeId: string) => !plan.holds(`node/${nodeId}`, networkId);
  const missing = [...view.all('node')].filter(({ id }) => isMissing(id)).length;
  const unsettled = [task, ...tasksIn(view, networkId)].filter(({ nodeId }) => isMissing(nodeId));
  if (free <= Math.min(missing, unsettled.length)) throw plan.full(networkId);
}

function* tasksIn(view: ReadView, networkId: string): Iterable<TaskObject> {
  for (const task of view.all('task')) {
    if (task.status.state > TaskState.RUNNING) continue;
    if (task.networks.some(({ network }) => network?.id === networkId)) yield task;
  }
}
