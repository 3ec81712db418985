import type { Member } from '../membership.js';
import type { Envelope } from './contract.js';

/**
 * The calls a node makes to its peers, over whatever connects them. A call that fails rejects;
 * NOT_FOUND with `REMOVED_TEXT` says that this node is a member no more.
 */
export interface PeerClient {
  /** Resolves when the peer has taken the message. Rejects after `timeoutMs`. */
  sendMessage(member: Member, envelope: Envelope, timeoutMs: number): Promise<void>;
  /** Whether Health.Check of the service `Raft` answers SERVING within `timeoutMs`. */
  checkHealth(member: Member, timeoutMs: number): Promise<boolean>;
  /**
   * Raft.ResolveAddress: where `member` knows another one to be. Rejects when it does not, or after
   * `timeoutMs`.
   */
  resolveAddress(member: Member, raftId: bigint, timeoutMs: number): Promise<string>;
  /**
   * Calls `listener` when the connection to the member breaks or comes up. Returns how to stop
   * that.
   */
  watchConnection?(member: Member, listener: (isUp: boolean) => void): () => void;
  /** Ends the calls to the member, and its connection. */
  close(member: Member): void;
}

/** What a node that was removed is answered, word for word (wire-raft.md 1.4). */
export const REMOVED_TEXT = 'raft: member was removed from the cluster';
