import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  type ListServiceStatusesResponse_ServiceStatus,
  ListServiceStatusesResponse_ServiceStatusSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { isJob, isPerNode } from '../../orchestrator/mode.js';
import { isDone, isLive, isOfPresentRun } from '../../orchestrator/slot.js';

/** Counted in numbers: thousands of tasks are counted for each list of services. */
interface Counts {
  running: number;
  /** Of modes that ask for tasks by the tasks themselves. */
  desired: number;
  done: Set<string>;
}

/** How many tasks of a service run, should run, and are done; all zero for a service that is gone. */
export function serviceStatus(
  view: ReadView,
  serviceId: string,
): ListServiceStatusesResponse_ServiceStatus {
  const service = view.get('service', serviceId);
  const counts: Counts = { running: 0, desired: 0, done: new Set() };
  for (const task of service ? view.tasksOfService(serviceId) : []) {
    if (service && isJob(service)) countOfJob(service, task, counts);
    else if (service) count(service, task, counts);
  }
  return create(ListServiceStatusesResponse_ServiceStatusSchema, {
    serviceId,
    desiredTasks: (service ? fixedDesire(service) : 0n) + BigInt(counts.desired),
    runningTasks: BigInt(counts.running),
    completedTasks: BigInt(counts.done.size),
  });
}

/** The number of tasks a service asks for by itself; global services ask for one a node, by their tasks. */
function fixedDesire({ spec: { mode } }: ServiceObject): bigint {
  if (mode.case === 'replicated') return mode.value.replicas;
  if (mode.case === 'replicatedJob') return mode.value.maxConcurrent;
  return 0n;
}

function count({ spec: { mode } }: ServiceObject, task: TaskObject, counts: Counts): void {
  if (task.status.state === TaskState.RUNNING) counts.running++;
  if (mode.case === 'global' && task.desiredState === TaskState.RUNNING) counts.desired++;
}

/**
 * A slot that came to its end twice, since its node was not heard of meanwhile, counts once.
 */
function countOfJob(service: ServiceObject, task: TaskObject, counts: Counts): void {
  if (!isOfPresentRun(service, task)) return;
  const perNode = isPerNode(service);
  if (isDone(task)) counts.done.add(perNode ? task.nodeId : String(task.slot));
  else if (task.status.state === TaskState.RUNNING) counts.running++;
  if (perNode && !isDone(task) && isLive(task)) counts.desired++;
}
