import { equals } from '@bufbuild/protobuf';
import { type CompleteServiceSpec, type ServiceObject, timestampMs } from '@skep/wire';
import { ServiceSpecSchema, UpdateStatus_UpdateState as UpdateState } from '@skep/wire/swarmkit';
import { ROLL_SETTLE_MS } from './limits.js';
import { redirected } from './references.js';

/**
 * What a rollback goes back to once this spec has replaced the stored one. Mostly that is the stored
 * one. It stays what it was when nothing changes; while services still roll to new versions of
 * secrets and configs, for what follows is of the same deployment: `docker stack deploy` writes
 * secrets, then configs, then services; and when a new version meets an update that has not come to
 * its end, for the spec of that may be the very one to go back from.
 */
export function specBefore(
  stored: ServiceObject,
  spec: CompleteServiceSpec,
): Pick<ServiceObject, 'previousSpec' | 'previousSpecVersion'> {
  const { previousSpec, previousSpecVersion } = stored;
  const kept =
    isSame(stored, spec) ||
    (previousSpec && rollsVersions(stored, previousSpec)) ||
    (UNFINISHED.includes(stored.updateStatus?.state) && isSameButVersions(stored.spec, spec));
  if (previousSpec && kept) return { previousSpec, previousSpecVersion };
  return { previousSpec: stored.spec, previousSpecVersion: stored.specVersion };
}

/** Whether an update to this spec would change nothing. */
export function isSame(stored: ServiceObject, spec: CompleteServiceSpec): boolean {
  return equals(ServiceSpecSchema, stored.spec, spec);
}

/**
 * Ms until the tasks of a service that was just given a new version may be replaced: what else its
 * deployment brings has come by then, and each task is replaced once. 0 for all other services.
 */
export function settlesInMs(service: ServiceObject, nowMs: number): number {
  const { previousSpec, updateStatus, meta } = service;
  if (updateStatus || !previousSpec) return 0;
  const leftMs = Math.min(ROLL_SETTLE_MS, timestampMs(meta.updatedAt) + ROLL_SETTLE_MS - nowMs);
  return leftMs > 0 && rollsVersions(service, previousSpec) ? leftMs : 0;
}

const UNFINISHED: readonly (UpdateState | undefined)[] = [UpdateState.UPDATING, UpdateState.PAUSED];
const UNDECIDED: readonly (UpdateState | undefined)[] = [undefined, ...UNFINISHED];

/** Whether the latest change was one of versions alone, and has not come to its end. */
function rollsVersions(service: ServiceObject, previous: CompleteServiceSpec): boolean {
  if (!UNDECIDED.includes(service.updateStatus?.state) || isSame(service, previous)) return false;
  return isSameButVersions(service.spec, previous);
}

function isSameButVersions(one: CompleteServiceSpec, other: CompleteServiceSpec): boolean {
  return equals(ServiceSpecSchema, unversioned(one), unversioned(other));
}

/** The spec with what its references are called in the place of their ids. */
function unversioned(spec: CompleteServiceSpec): CompleteServiceSpec {
  return redirected(spec, (_kind, _id, name) => name);
}
