import { create } from '@bufbuild/protobuf';
import { type CompleteServiceSpec, type ServiceObject, timestampFromMs } from '@skep/wire';
import {
  type JobStatus,
  JobStatusSchema,
  UpdateStatus_UpdateState,
  UpdateStatusSchema,
  type Version,
  VersionSchema,
} from '@skep/wire/swarmkit';
import { isJobSpec } from '../../orchestrator/mode.js';
import { failedPrecondition } from '../errors.js';

/**
 * The service with a new spec; the old one is remembered. `version` is what the caller read: the store
 * refuses it when it is stale. It also names the spec, so that tasks made from it can be told apart.
 */
export function updated(
  stored: ServiceObject,
  spec: CompleteServiceSpec,
  version: Version,
  nowMs: number,
): ServiceObject {
  return {
    ...stored,
    meta: { ...stored.meta, version },
    spec,
    specVersion: create(VersionSchema, { index: version.index }),
    previousSpec: stored.spec,
    previousSpecVersion: stored.specVersion,
    updateStatus: undefined,
    jobStatus: nextRun(stored, nowMs),
  };
}

/** The first run of a job; undefined for a spec of another kind. */
export function firstRun(spec: CompleteServiceSpec, nowMs: number): JobStatus | undefined {
  return isJobSpec(spec) ? jobRun(0n, nowMs) : undefined;
}

/** Whatever an update changes, it makes a job run again. */
function nextRun({ spec, jobStatus }: ServiceObject, nowMs: number): JobStatus | undefined {
  if (!isJobSpec(spec)) return undefined;
  return jobRun((jobStatus?.jobIteration?.index ?? 0n) + 1n, nowMs);
}

function jobRun(index: bigint, nowMs: number): JobStatus {
  return create(JobStatusSchema, {
    jobIteration: create(VersionSchema, { index }),
    lastExecution: timestampFromMs(nowMs),
  });
}

/** The service with its spec and the previous one exchanged, versions included. */
export function rolledBack(stored: ServiceObject, version: Version, nowMs: number): ServiceObject {
  if (!stored.previousSpec) {
    throw failedPrecondition(`service ${stored.id} does not have a previous spec`);
  }
  return {
    ...stored,
    meta: { ...stored.meta, version },
    spec: stored.previousSpec,
    specVersion: stored.previousSpecVersion,
    previousSpec: stored.spec,
    previousSpecVersion: stored.specVersion,
    // A job starts anew at once: nothing is rolled out, so there is no progress to report.
    updateStatus: isJobSpec(stored.spec)
      ? undefined
      : create(UpdateStatusSchema, {
          state: UpdateStatus_UpdateState.ROLLBACK_STARTED,
          message: 'manually requested rollback',
          startedAt: timestampFromMs(nowMs),
        }),
    jobStatus: nextRun(stored, nowMs),
  };
}
