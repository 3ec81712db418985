import type { Clock, Random } from '@skep/platform';
import type { Store } from '@skep/store';
import type { RaftMemberStatus_Reachability } from '@skep/wire/swarmkit';

/** A manager as the consensus room sees it. */
export interface ManagerMember {
  raftId: bigint;
  nodeId: string;
  /** `host:port` the member is reached at. */
  address: string;
  leader: boolean;
  reachability: RaftMemberStatus_Reachability;
}

/** What control asks of the consensus room. */
export interface ManagerMembers {
  list(): readonly ManagerMember[];
  /** Whether the others keep a quorum without this member. */
  canRemove(raftId: bigint): boolean;
}

/** Everything the parts of control work with. */
export interface ControlContext {
  store: Store;
  clock: Clock;
  random: Random;
  members: ManagerMembers;
  /** A new join token for a swarm with this root certificate (PEM). */
  newJoinToken(rootCertificate: Uint8Array): string;
}
