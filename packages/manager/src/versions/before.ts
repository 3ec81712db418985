import { equals } from '@bufbuild/protobuf';
import type { CompleteServiceSpec, ServiceObject } from '@skep/wire';
import { ServiceSpecSchema, UpdateStatus_UpdateState as UpdateState } from '@skep/wire/swarmkit';
import { redirected } from './references.js';

/**
 * What a rollback goes back to once this spec has replaced the stored one. Mostly that is the stored
 * one. It stays what it was when nothing changes; and while services still roll to new versions of
 * secrets and configs, for what follows is of the same deployment: `docker stack deploy` writes
 * secrets, then configs, then services.
 */
export function specBefore(
  stored: ServiceObject,
  spec: CompleteServiceSpec,
): Pick<ServiceObject, 'previousSpec' | 'previousSpecVersion'> {
  const { previousSpec, previousSpecVersion } = stored;
  if (previousSpec && (isSame(stored, spec) || rollsVersions(stored, previousSpec))) {
    return { previousSpec, previousSpecVersion };
  }
  return { previousSpec: stored.spec, previousSpecVersion: stored.specVersion };
}

/** Whether an update to this spec would change nothing. */
export function isSame(stored: ServiceObject, spec: CompleteServiceSpec): boolean {
  return equals(ServiceSpecSchema, stored.spec, spec);
}

const UNDECIDED: readonly (UpdateState | undefined)[] = [
  undefined,
  UpdateState.UPDATING,
  UpdateState.PAUSED,
];

/** Whether the latest change was one of versions alone, and has not come to its end. */
function rollsVersions(service: ServiceObject, previous: CompleteServiceSpec): boolean {
  if (!UNDECIDED.includes(service.updateStatus?.state)) return false;
  return equals(ServiceSpecSchema, unversioned(service.spec), unversioned(previous));
}

/** The spec with what its references are called in the place of their ids. */
function unversioned(spec: CompleteServiceSpec): CompleteServiceSpec {
  return redirected(spec, (_kind, _id, name) => name);
}
