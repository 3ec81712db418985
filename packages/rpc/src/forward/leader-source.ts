import { type Clock, Code, RpcError } from '@skep/platform';
import type { Channel } from '../contract.js';
import { LEADER_WAIT_MS } from '../limits.js';

/** Where the leader is, as a manager knows it. */
export interface LeaderSource {
  /** `self` while this manager leads and can answer; undefined while nobody is known to lead. */
  leader(): 'self' | Channel | undefined;
  /** Calls `listener` whenever that may have changed; returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** Docker's words, which scripts look for. */
export const NO_LEADER_TEXT =
  "The swarm does not have a leader. It's possible that too few managers are online. " +
  'Make sure more than half of the managers are online.';

/**
 * The leader, waited for a little when there is none, or when it is the one that just could not be reached.
 * Rejects with UNKNOWN, as SwarmKit does, when that is in vain, and with the signal's reason.
 */
export function awaitLeader(
  source: LeaderSource,
  clock: Clock,
  signal: AbortSignal,
  except?: Channel,
): Promise<'self' | Channel> {
  return new Promise((resolve, reject) => {
    const end = (finish: () => void) => {
      cancel();
      forget();
      signal.removeEventListener('abort', onAbort);
      finish();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const look = () => {
      const leader = source.leader();
      if (leader !== undefined && leader !== except) end(() => resolve(leader));
    };
    const cancel = clock.after(LEADER_WAIT_MS, () =>
      end(() => reject(new RpcError(Code.UNKNOWN, NO_LEADER_TEXT))),
    );
    const forget = source.onChange(look);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else look();
  });
}
