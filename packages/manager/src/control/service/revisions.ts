import { create } from '@bufbuild/protobuf';
import { type CompleteServiceSpec, type ServiceObject, timestampFromMs } from '@skep/wire';
import {
  UpdateStatus_UpdateState,
  UpdateStatusSchema,
  type Version,
  VersionSchema,
} from '@skep/wire/swarmkit';
import { failedPrecondition } from '../errors.js';

/**
 * The service with a new spec; the old one is remembered. `version` is what the caller read: the store
 * refuses it when it is stale. It also names the spec, so that tasks made from it can be told apart.
 */
export function updated(
  stored: ServiceObject,
  spec: CompleteServiceSpec,
  version: Version,
): ServiceObject {
  return {
    ...stored,
    meta: { ...stored.meta, version },
    spec,
    specVersion: create(VersionSchema, { index: version.index }),
    previousSpec: stored.spec,
    previousSpecVersion: stored.specVersion,
    updateStatus: undefined,
  };
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
    updateStatus: create(UpdateStatusSchema, {
      state: UpdateStatus_UpdateState.ROLLBACK_STARTED,
      message: 'manually requested rollback',
      startedAt: timestampFromMs(nowMs),
    }),
  };
}
