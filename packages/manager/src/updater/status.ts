import { create } from '@bufbuild/protobuf';
import { type ServiceObject, type TaskObject, timestampFromMs } from '@skep/wire';
import {
  UpdateConfig_FailureAction as FailureAction,
  UpdateStatus_UpdateState as UpdateState,
  type UpdateStatus,
  UpdateStatusSchema,
} from '@skep/wire/swarmkit';
import { isRollingBack } from './config.js';
import { QUOTE_CHARS_MAX } from './limits.js';

/** The service with its update begun. */
export function started(service: ServiceObject, nowMs: number): ServiceObject {
  return withStatus(service, {
    state: UpdateState.UPDATING,
    message: 'update in progress',
    startedAt: timestampFromMs(nowMs),
  });
}

/** Begins what a message says of the task that had to wait for the one before it. */
const STOPPED_FIRST = '; stop-first instead of start-first for ';

/**
 * The service whose update, though it starts first, stops a task before its successor `fresh` can
 * start; of several the last is named.
 */
export function stopsFirst(service: ServiceObject, fresh: TaskObject): ServiceObject {
  const { message = '' } = service.updateStatus ?? {};
  const [before = ''] = message.split(STOPPED_FIRST);
  const name = `${service.spec.annotations.name}.${fresh.slot || fresh.nodeId}`;
  const reason = fresh.status.err.slice(0, QUOTE_CHARS_MAX);
  return withStatus(service, { message: `${before}${STOPPED_FIRST}${name}: ${reason}` });
}

/** The service with its update, or rollback, done. */
export function completed(service: ServiceObject, nowMs: number): ServiceObject {
  const back = isRollingBack(service);
  const [, stoppedFirst] = service.updateStatus?.message.split(STOPPED_FIRST) ?? [];
  const told = stoppedFirst === undefined ? '' : STOPPED_FIRST + stoppedFirst;
  return withStatus(service, {
    state: back ? UpdateState.ROLLBACK_COMPLETED : UpdateState.COMPLETED,
    message: `${back ? 'rollback' : 'update'} completed${told}`,
    completedAt: timestampFromMs(nowMs),
  });
}

/**
 * The service with its update, or rollback, stopped over a task until a user says how to go on. Docker
 * speaks of a rollback only where that was to be rolled back in turn, which nothing ever is.
 */
export function paused(service: ServiceObject, failed: TaskObject): ServiceObject {
  const back = isRollingBack(service);
  const twice = back && service.spec.rollback?.failureAction === FailureAction.ROLLBACK;
  return withStatus(service, {
    state: back ? UpdateState.ROLLBACK_PAUSED : UpdateState.PAUSED,
    message: `${twice ? 'rollback' : 'update'} paused ${because(failed)}`,
  });
}

/**
 * The service with its previous spec back in force, and its spec version, so that tasks which still
 * run it are clean. A service without a previous spec is paused instead.
 */
export function rolledBack(service: ServiceObject, failed: TaskObject): ServiceObject {
  if (!service.previousSpec) return paused(service, failed);
  const restored: ServiceObject = {
    ...service,
    spec: service.previousSpec,
    specVersion: service.previousSpecVersion,
    previousSpec: undefined,
    // Says when the spec that failed was written: who has read that may still write another.
    previousSpecVersion: service.specVersion,
  };
  return withStatus(restored, {
    state: UpdateState.ROLLBACK_STARTED,
    message: `update rolled back ${because(failed)}`,
  });
}

/** Docker's words, and after them what became of the task: its error, and what it printed last. */
function because({ id, status }: TaskObject): string {
  const sentence = `due to failure or early termination of task ${id}`;
  const { err, runtimeStatus } = status;
  const line = runtimeStatus.case === 'container' ? runtimeStatus.value.lastLine : '';
  const details = [err, line && `last log line: ${line}`].map((text) =>
    text.slice(0, QUOTE_CHARS_MAX),
  );
  const told = details.filter((text) => text !== '').join('; ');
  return told === '' ? sentence : `${sentence}: ${told}`;
}

function withStatus(
  service: ServiceObject,
  changes: Partial<Omit<UpdateStatus, '$typeName' | '$unknown'>>,
): ServiceObject {
  const { state, message, startedAt, completedAt } = { ...service.updateStatus, ...changes };
  const updateStatus = create(UpdateStatusSchema, { state, message, startedAt, completedAt });
  return { ...service, updateStatus };
}
