import { create } from '@bufbuild/protobuf';
import { newId, type Random } from '@skep/platform';
import type { ReadView } from '@skep/store';
import {
  type ClusterObject,
  completeObject,
  type ServiceObject,
  type TaskObject,
  timestampFromMs,
  timestampMs,
} from '@skep/wire';
import { EndpointSchema, TaskSchema, TaskState, TaskStatusSchema } from '@skep/wire/swarmkit';
import type { SwarmFlaws } from '../flaws.js';
import { tasksOfSeat } from './slot.js';

/** What a plan needs from outside the store. */
export interface PlanContext {
  /** Wall clock, ms since the epoch. */
  nowMs: number;
  random: Random;
  /** Known bugs, for the simulator. */
  flaws?: SwarmFlaws | undefined;
}

/**
 * Where a task belongs: a slot of a replicated service (1 …) or job (0 …), or a node of a global
 * one.
 */
export type Seat = { slot: bigint } | { nodeId: string };

/** The name every cluster object has. */
const CLUSTER_NAME = 'default';

export function findCluster(view: ReadView): ClusterObject | undefined {
  return view.named('cluster', CLUSTER_NAME);
}

/**
 * A new task of the service as its spec says now (features.md 3.2). Shares the spec, which never
 * changes.
 */
export function newTask(
  view: ReadView,
  service: ServiceObject,
  seat: Seat,
  desiredState: TaskState,
  context: PlanContext,
): TaskObject {
  const { spec } = service;
  const task = create(TaskSchema, {
    id: newId(context.random),
    serviceId: service.id,
    slot: 'slot' in seat ? seat.slot : 0n,
    nodeId: 'nodeId' in seat ? seat.nodeId : '',
    desiredState,
    status: create(TaskStatusSchema, {
      state: TaskState.NEW,
      message: 'created',
      timestamp: timestampFromMs(context.nowMs),
    }),
    endpoint: create(EndpointSchema),
  });
  task.spec = spec.task;
  task.serviceAnnotations = spec.annotations;
  task.specVersion = service.specVersion;
  task.jobIteration = service.jobStatus?.jobIteration;
  task.logDriver = spec.task.logDriver ?? findCluster(view)?.spec.taskDefaults.logDriver;
  if (task.endpoint) task.endpoint.spec = spec.endpoint;
  const whole = completeObject('task', task);
  whole.meta.createdAt = timestampFromMs(createdMs(view, service, seat, context.nowMs));
  return whole;
}

/**
 * When a new task counts as created, ms: after all others of its seat, and not before the update
 * under way, also where this manager's clock is behind that of a leader before it. By this order
 * all loops tell which task of a seat took the place of which.
 */
function createdMs(
  view: ReadView,
  { id, updateStatus }: ServiceObject,
  seat: Seat,
  nowMs: number,
): number {
  let latestMs = Math.max(nowMs, timestampMs(updateStatus?.startedAt));
  for (const { meta } of tasksOfSeat(view, id, seat)) {
    latestMs = Math.max(latestMs, timestampMs(meta.createdAt) + 1);
  }
  return latestMs;
}
