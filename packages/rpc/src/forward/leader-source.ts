import type { Channel } from '../contract.js';

/** Who answers calls for the leader: this manager's own handlers, or the one at a channel. */
export type Leader = 'self' | Channel;

/** Where the leader is, as a manager knows it. */
export interface LeaderSource {
  /**
   * `self` while this manager leads and can answer; undefined while nobody is known to lead. The
   * same channel for as long as the same manager leads.
   */
  leader(): Leader | undefined;
  /** Calls `listener` whenever that may have changed; returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** Docker's words, which scripts look for. */
export const NO_LEADER_TEXT =
  "The swarm does not have a leader. It's possible that too few managers are online. " +
  'Make sure more than half of the managers are online.';
