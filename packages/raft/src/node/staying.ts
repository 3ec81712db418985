import type { Clock } from '@skep/platform';
import { ANSWER_POLL_MS } from '../limits.js';
import { quorumOf } from './refusals.js';

export interface StayingOptions {
  clock: Clock;
  /** This node's id. */
  raftId: bigint;
  voters(): readonly bigint[];
  /** Throws the `RpcError` that says why, unless this node leads. */
  checkLeads(): void;
  /** How often a voter answered this node, as the leader of its term. */
  answersOf(raftId: bigint): number;
  /** How long the others have to answer, ms: an election timeout, in which a leader hears them. */
  timeoutMs: number;
}

/**
 * Whether those that stay when a member is removed are a quorum of themselves: each must answer
 * this leader once more. A connection is no proof, least of all to a new leader: one that lost its
 * power is missed by nobody who had nothing to say to it, and one that lost its log takes calls
 * while it asks to join again, but can never acknowledge an entry. Two voters of whom one is like
 * that agree on nothing any more, not even on taking it in anew.
 */
export async function quorumStaysWithout(
  removed: bigint,
  { clock, raftId, voters, checkLeads, answersOf, timeoutMs }: StayingOptions,
): Promise<boolean> {
  const before = new Map(voters().map((id) => [id, answersOf(id)]));
  const isThere = (id: bigint) => id === raftId || answersOf(id) > (before.get(id) ?? 0);
  const endMs = clock.monotonic() + timeoutMs;
  for (;;) {
    const staying = voters().filter((id) => id !== removed);
    if (staying.filter(isThere).length >= quorumOf(staying.length)) return staying.length > 0;
    if (clock.monotonic() >= endMs) return false;
    await clock.sleep(ANSWER_POLL_MS);
    checkLeads();
  }
}
