import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  type ListServiceStatusesResponse_ServiceStatus,
  ListServiceStatusesResponse_ServiceStatusSchema,
  TaskState,
} from '@skep/wire/swarmkit';

/** How many tasks of a service run, should run, and are done; all zero for a service that is gone. */
export function serviceStatus(
  view: ReadView,
  serviceId: string,
): ListServiceStatusesResponse_ServiceStatus {
  const status = create(ListServiceStatusesResponse_ServiceStatusSchema, { serviceId });
  const service = view.get('service', serviceId);
  if (!service) return status;
  status.desiredTasks = fixedDesire(service);
  for (const task of view.tasksOfService(serviceId)) {
    if (isOfCurrentIteration(service, task)) count(service, task, status);
  }
  return status;
}

/** The number of tasks a service asks for by itself; global services ask for one a node, by their tasks. */
function fixedDesire({ spec: { mode } }: ServiceObject): bigint {
  if (mode.case === 'replicated') return mode.value.replicas;
  if (mode.case === 'replicatedJob') return mode.value.maxConcurrent;
  return 0n;
}

function isOfCurrentIteration(service: ServiceObject, task: TaskObject): boolean {
  if (!service.jobStatus) return true;
  return (task.jobIteration?.index ?? 0n) === (service.jobStatus.jobIteration?.index ?? 0n);
}

function count(
  { spec: { mode } }: ServiceObject,
  { status: { state }, desiredState }: TaskObject,
  status: ListServiceStatusesResponse_ServiceStatus,
): void {
  if (state === TaskState.RUNNING) status.runningTasks++;
  if (mode.case === 'global' && desiredState === TaskState.RUNNING) status.desiredTasks++;
  if (mode.case !== 'globalJob' && mode.case !== 'replicatedJob') return;
  if (state === TaskState.COMPLETE) {
    status.completedTasks++;
  } else if (mode.case === 'globalJob' && desiredState === TaskState.COMPLETE) {
    status.desiredTasks++;
  }
}
