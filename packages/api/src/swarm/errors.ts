import { Code, RpcError } from '@skep/platform';

/** What the API says about membership (features.md 2.5), word for word, since scripts match on it. */
export const MEMBERSHIP_TEXTS = {
  noSwarm:
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this ' +
    'node to swarm and try again.',
  worker:
    "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. " +
    'Please run this command on a manager node or promote the current node to a manager.',
  notReady:
    'This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.',
  notInSwarm: 'This node is not part of a swarm',
  alreadyInSwarm:
    'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join ' +
    'another one.',
  joinTimeout:
    'Timeout was reached before node joined. The attempt to join the swarm will continue in the ' +
    'background. Use the "docker info" command to see the current swarm status of your node.',
  locked:
    'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm ' +
    'unlock" to unlock it.',
  certificatesExpired:
    'Swarm certificates have expired. To replace them, leave the swarm and join again.',
  leaveLocked:
    'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.',
} as const;

/** A call that this node's membership does not allow: HTTP 503. */
export function membershipError(kind: keyof typeof MEMBERSHIP_TEXTS): RpcError {
  return new RpcError(Code.UNAVAILABLE, MEMBERSHIP_TEXTS[kind]);
}

const UNLOCK_TEXTS = {
  wrongKey: [Code.UNAUTHENTICATED, 'swarm could not be unlocked: invalid key provided'],
  notLocked: [Code.ALREADY_EXISTS, 'swarm is not locked'],
} as const;

/** A refused unlock: 401 for a wrong key, 409 when there is nothing to unlock. */
export function unlockError(kind: keyof typeof UNLOCK_TEXTS): RpcError {
  const [code, text] = UNLOCK_TEXTS[kind];
  return new RpcError(code, text);
}

/** How many managers there are, as the leader sees them. */
export interface ManagerCounts {
  reachable: number;
  unreachable: number;
  /** Whether the node that asks is among the reachable. */
  isCounted: boolean;
}

const LEAVE_START =
  'You are attempting to leave the swarm on a node that is participating as a manager. ';
const LEAVE_END =
  'The only way to restore a swarm that has lost consensus is to reinitialize it with ' +
  '`--force-new-cluster`. Use `--force` to suppress this message.';

/**
 * Why a manager may not leave without force: 503. `counts` is undefined where nobody could be asked, and
 * `unprepared` where this manager does not work (yet).
 */
export function leaveRefusal(counts: ManagerCounts | 'unprepared' | undefined): RpcError {
  return new RpcError(Code.UNAVAILABLE, LEAVE_START + leaveConsequence(counts));
}

function leaveConsequence(counts: ManagerCounts | 'unprepared' | undefined): string {
  if (counts === 'unprepared')
    return `Doing so may lose the consensus of your cluster. ${LEAVE_END}`;
  if (!counts?.isCounted) return LEAVE_END;
  const { reachable, unreachable } = counts;
  if (reachable === 1 && unreachable === 0) {
    return (
      'Removing the last manager erases all current state of the swarm. ' +
      'Use `--force` to ignore this message. '
    );
  }
  const losesQuorum = reachable - 2 <= unreachable;
  if (!losesQuorum) return LEAVE_END;
  return (
    `Removing this node leaves ${reachable - 1} managers out of ${reachable + unreachable}. ` +
    `Without a Raft quorum your swarm will be inaccessible. ${LEAVE_END}`
  );
}

/** Bad input found before a manager is asked: HTTP 400, plain text. */
export function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

/**
 * An error of the manager as Docker's API shows it: the same code, with Go's status text for a message
 * (`rpc error: code = NotFound desc = …`). Anything that is no RpcError passes through.
 */
export function managerError(error: unknown): unknown {
  if (!(error instanceof RpcError)) return error;
  return new RpcError(error.code, error.toGoString(), { cause: error });
}
