import type { ExternalAuthority } from '@skep/ca';
import type { Clock, Logger, Random } from '@skep/platform';
import type { Store } from '@skep/store';
import type { ManagerMembers } from '../contract.js';

/** Everything the parts of control work with. */
export interface ControlContext {
  store: Store;
  clock: Clock;
  random: Random;
  members: Pick<ManagerMembers, 'list' | 'canRemove'>;
  /** A new join token for a swarm with this root certificate (PEM). */
  newJoinToken(rootCertificate: Uint8Array): string;
  /** Authorities outside the swarm; without it, those a cluster names cannot be reached. */
  external?: ExternalAuthority | undefined;
  /** Subnets in use on this manager's host, as CIDRs: no network may overlap them. */
  hostSubnets?(): readonly string[];
  log?: Logger | undefined;
}
