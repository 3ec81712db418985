import { create } from '@bufbuild/protobuf';
import { type ServiceObject, timestampFromMs } from '@skep/wire';
import {
  UpdateStatus_UpdateState as UpdateState,
  type UpdateStatus,
  UpdateStatusSchema,
} from '@skep/wire/swarmkit';
import { isRollingBack } from './config.js';

/** The service with its update begun. */
export function started(service: ServiceObject, nowMs: number): ServiceObject {
  return withStatus(service, {
    state: UpdateState.UPDATING,
    message: 'update in progress',
    startedAt: timestampFromMs(nowMs),
  });
}

/** The service with its update, or rollback, done. */
export function completed(service: ServiceObject, nowMs: number): ServiceObject {
  const back = isRollingBack(service);
  return withStatus(service, {
    state: back ? UpdateState.ROLLBACK_COMPLETED : UpdateState.COMPLETED,
    message: back ? 'rollback completed' : 'update completed',
    completedAt: timestampFromMs(nowMs),
  });
}

/** The service with its update, or rollback, stopped over a task until a user says how to go on. */
export function paused(service: ServiceObject, taskId: string): ServiceObject {
  const back = isRollingBack(service);
  return withStatus(service, {
    state: back ? UpdateState.ROLLBACK_PAUSED : UpdateState.PAUSED,
    message: `${back ? 'rollback' : 'update'} paused ${because(taskId)}`,
  });
}

/**
 * The service with its previous spec back in force, and its spec version, so that tasks which still
 * run it are clean. A service without a previous spec is paused instead.
 */
export function rolledBack(service: ServiceObject, taskId: string): ServiceObject {
  if (!service.previousSpec) return paused(service, taskId);
  const restored: ServiceObject = {
    ...service,
    spec: service.previousSpec,
    specVersion: service.previousSpecVersion,
    previousSpec: undefined,
    previousSpecVersion: undefined,
  };
  return withStatus(restored, {
    state: UpdateState.ROLLBACK_STARTED,
    message: `update rolled back ${because(taskId)}`,
  });
}

function because(taskId: string): string {
  return `due to failure or early termination of task ${taskId}`;
}

function withStatus(
  service: ServiceObject,
  changes: Partial<Omit<UpdateStatus, '$typeName' | '$unknown'>>,
): ServiceObject {
  const { state, message, startedAt, completedAt } = { ...service.updateStatus, ...changes };
  const updateStatus = create(UpdateStatusSchema, { state, message, startedAt, completedAt });
  return { ...service, updateStatus };
}
