import type { Message } from '../core/contract.js';
import type { Member } from '../membership.js';

/** A message with the contents of its snapshot (bytes of an api.Snapshot), where it has one. */
export interface Envelope {
  message: Message;
  snapshotData: Uint8Array | undefined;
}

/**
 * How a node's messages reach its peers: one at a time to each, in order, none waited for
 * (wire-raft.md 2.1). The real one calls `docker.swarmkit.v1.Raft` over the node's channels, the
 * simulated one a faulty network.
 */
export interface PeerTransport {
  /**
   * Queues a message for `to.raftId`. Never throws; what becomes of it comes through {@link
   * PeerEvents}.
   */
  send(to: Member, envelope: Envelope): void;
  /** Members are these now: connections to others are drained and closed. */
  setMembers(members: readonly Member[]): void;
  /** Whether the last message to the peer, or its health check, got through. */
  isActive(raftId: bigint): boolean;
  /** Ms since the peer became active (monotonic clock); undefined while it is not. */
  activeForMs(raftId: bigint): number | undefined;
  /** Whether the peer answers a `Raft` health check within 2 s, asked now. */
  checkHealth(raftId: bigint): Promise<boolean>;
  /**
   * The address that a peer knows of a member; undefined when none knows one that answers within 2
   * s.
   */
  resolveAddress(raftId: bigint): Promise<string | undefined>;
  close(): Promise<void>;
}

/** What a transport tells its node. */
export interface PeerEvents {
  /** A message could not be delivered. */
  onUnreachable(raftId: bigint): void;
  onSnapshotSent(raftId: bigint, delivered: boolean): void;
  /** The peer says that this node is no member any more. */
  onRemoved(): void;
  /** A connection to a peer broke, or one came up: a hint, nothing more. */
  onConnection(raftId: bigint, isUp: boolean): void;
}
