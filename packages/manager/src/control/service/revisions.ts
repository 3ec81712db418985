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
import { isUpdating } from '../../updater/config.js';
import { isSame, specBefore } from '../../versions/before.js';
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
  const current = { ...stored, meta: { ...stored.meta, version } };
  // An update that is under way goes on when it is asked for again.
  if (isUpdating(stored) && isSame(stored, spec)) return current;
  return {
    ...current,
    spec,
    specVersion: create(VersionSchema, { index: version.index }),
    ...specBefore(stored, spec),
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

/**
 * The version to write a service at. Who has read its present spec may write, though its status has
 * changed since: `docker stack deploy` reads all services before it writes the first.
 */
export function sequenceFor(stored: ServiceObject, read: Version): Version {
  const writtenAt = specWrittenAt(stored);
  const knows = writtenAt !== undefined && read.index > writtenAt;
  return knows && read.index <= stored.meta.version.index ? stored.meta.version : read;
}

/** The store's version that a user last wrote the spec over; undefined where nothing says it. */
function specWrittenAt(stored: ServiceObject): bigint | undefined {
  const { updateStatus, specVersion, previousSpec, previousSpecVersion } = stored;
  const present = specVersion?.index ?? 0n;
  const previous = previousSpecVersion?.index ?? 0n;
  // A rollback brings an old version back. One by itself is no user's, so the spec that failed counts.
  if (previous > present) return previousSpec ? undefined : previous;
  return present > 0n && !ROLLED_BACK.includes(updateStatus?.state) ? present : undefined;
}

const ROLLED_BACK: readonly (UpdateStatus_UpdateState | undefined)[] = [
  UpdateStatus_UpdateState.ROLLBACK_STARTED,
  UpdateStatus_UpdateState.ROLLBACK_PAUSED,
  UpdateStatus_UpdateState.ROLLBACK_COMPLETED,
];

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
