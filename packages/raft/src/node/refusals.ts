import { Code, RpcError } from '@skep/platform';

const NOT_LEADER = 'raft: failed to process the request: node lost leader status';

/** This node does not lead, or not any more. SwarmKit's text, by which clients know it. */
export function notLeader(): RpcError {
  return new RpcError(Code.FAILED_PRECONDITION, NOT_LEADER);
}

/**
 * Whether a call was refused, here or elsewhere, because that node does not lead: nothing was done.
 */
export function isNotLeader(error: unknown): boolean {
  return (
    error instanceof RpcError &&
    error.code === Code.FAILED_PRECONDITION &&
    error.message === NOT_LEADER
  );
}

export interface Quorum {
  /** Managers that answer this one, itself included. */
  reachable: number;
  members: number;
  needed: number;
}

/** Nobody leads, or nobody could: Docker's code and text, and the figures that explain it. */
export function noQuorum({ reachable, members, needed }: Quorum): RpcError {
  const text =
    "The swarm does not have a leader. It's possible that too few managers are online. " +
    'Make sure more than half of the managers are online. ' +
    `(${reachable} of ${members} managers reachable, ${needed} needed)`;
  return new RpcError(Code.UNKNOWN, text);
}

export function notReady(): RpcError {
  return new RpcError(Code.FAILED_PRECONDITION, 'raft: this manager is not ready to write');
}

export function stopping(): RpcError {
  return new RpcError(Code.UNAVAILABLE, 'raft: this manager is stopping');
}

/** How many voters must agree. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}
