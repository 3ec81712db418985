import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  type ListServiceStatusesResponse_ServiceStatus,
  ListServiceStatusesResponse_ServiceStatusSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { isJob } from '../../orchestrator/mode.js';
import { isDone, isLive, isOfPresentRun } from '../../orchestrator/slot.js';

/** How many tasks of a service run, should run, and are done; all zero for a service that is gone. */
export function serviceStatus(
  view: ReadView,
  serviceId: string,
): ListServiceStatusesResponse_ServiceStatus {
  const status = create(ListServiceStatusesResponse_ServiceStatusSchema, { serviceId });
  const service = view.get('service', serviceId);
  if (!service) return status;
  status.desiredTasks = fixedDesire(service);
  const done = new Set<string>();
  for (const task of view.tasksOfService(serviceId)) {
    if (!isJob(service)) count(service, task, status);
    else if (isOfPresentRun(service, task)) countOfJob(service, task, status, done);
  }
  status.completedTasks = BigInt(done.size);
  return status;
}

/** The number of tasks a service asks for by itself; global services ask for one a node, by their tasks. */
function fixedDesire({ spec: { mode } }: ServiceObject): bigint {
  if (mode.case === 'replicated') return mode.value.replicas;
  if (mode.case === 'replicatedJob') return mode.value.maxConcurrent;
  return 0n;
}

function count(
  { spec: { mode } }: ServiceObject,
  { status: { state }, desiredState }: TaskObject,
  status: ListServiceStatusesResponse_ServiceStatus,
): void {
  if (state === TaskState.RUNNING) status.runningTasks++;
  if (mode.case === 'global' && desiredState === TaskState.RUNNING) status.desiredTasks++;
}

/**
 * A slot that came to its end twice, since its node was not heard of meanwhile, is one of `done`.
 */
function countOfJob(
  { spec: { mode } }: ServiceObject,
  task: TaskObject,
  status: ListServiceStatusesResponse_ServiceStatus,
  done: Set<string>,
): void {
  const perNode = mode.case === 'globalJob';
  if (isDone(task)) done.add(perNode ? task.nodeId : String(task.slot));
  else if (task.status.state === TaskState.RUNNING) status.runningTasks++;
  if (perNode && !isDone(task) && isLive(task)) status.desiredTasks++;
}
