import type { Clock, Disk, Logger, Random } from '@skep/platform';
import type { Proposer, StateMachine } from '../contract.js';
import type { Role } from '../core/contract.js';
import type { KeyWrapping } from '../keys/key-file.js';
import type { Member } from '../membership.js';
import type { Envelope, PeerEvents, PeerTransport } from '../peers/contract.js';
import type { Flaws } from './flaws.js';

/** How much is kept and how often; each has its default in limits.ts. */
export interface RaftSettings {
  snapshotIntervalEntries?: number;
  entriesKeptBehind?: number;
  oldSnapshotsKept?: number;
  segmentBytes?: number;
  reserveBytes?: number;
  /** Length of a tick, ms: 100, or 1000 where a dockerd manager is a member. */
  tickMs?: number;
  heartbeatTicks?: number;
  electionTicks?: number;
  /** On unless set: off where a dockerd manager is a member. */
  preVote?: boolean;
}

export interface RaftNodeOptions {
  disk: Disk;
  /** Directory of Raft's own, made when missing. */
  directory: string;
  random: Random;
  clock: Clock;
  log: Logger;
  /** This node's id, the same at every start. */
  nodeId: string;
  /** host:port where other managers reach this one. A new one is told to the others. */
  address: string;
  keyWrapping?: KeyWrapping;
  settings?: RaftSettings;
  /** Makes the way to the peers; called once, at start. */
  transport(events: PeerEvents): PeerTransport;
  /** The log failed or is damaged: the process must stop. Called once at most. */
  onFatal(error: unknown): void;
  /** Only for tests of the tests: bugs to have. */
  flaws?: Flaws;
}

/**
 * How a node comes to its place in the cluster. Ignored where the directory holds a log already.
 */
export type Entry =
  /** Founds a cluster of one. */
  | { kind: 'found' }
  /** Joins one: called when this node can answer others; resolves with what the leader answered. */
  | { kind: 'join'; join: () => Promise<JoinAnswer> }
  /** Must hold a log already. */
  | { kind: 'resume' }
  /** Must hold a log already, and goes on as its only member (force-new-cluster). */
  | { kind: 'force-new-cluster' };

export interface JoinAnswer {
  raftId: bigint;
  /** All members, the new one among them. */
  members: readonly Member[];
}

export interface MemberStatus extends Member {
  isLeader: boolean;
  /** As this node sees it: itself always is. */
  isReachable: boolean;
}

/** What others may know of a node. */
export interface RaftStatus {
  raftId: bigint;
  term: bigint;
  role: Role;
  /** Raft id of the leader; 0 when none is known. */
  leaderId: bigint;
  commitIndex: bigint;
  appliedIndex: bigint;
  members: readonly MemberStatus[];
  /** This node was removed from the cluster: its log is of no use any more. */
  isRemoved: boolean;
}

/**
 * A manager's Raft: log, snapshots, elections, membership. The store's `Proposer` while it leads.
 */
export interface RaftMember extends Proposer {
  /**
   * Resolves when the node takes part: as founder or sole voter when it leads, else when it knows
   * its log.
   */
  start(machine: StateMachine, entry: Entry): Promise<void>;
  readonly status: RaftStatus;
  /**
   * Calls `listener(true)` when this node leads and has applied everything before its term (it may
   * write), and `listener(false)` when it leads no more. Returns how to stop that.
   */
  onLeadership(listener: (leads: boolean) => void): () => void;
  /**
   * Calls `listener` when members, leader or reachability may have changed, or this node was
   * removed.
   */
  onChange(listener: () => void): () => void;
  /**
   * Resolves when the state machine holds every write that was acknowledged before the call
   * (read-index). Rejects with UNAVAILABLE when no leader confirms that in time. On any manager.
   */
  readBarrier(): Promise<void>;
  /**
   * Adds a manager, or gives a member its new address; the leader's. Resolves when applied here.
   *
   * Whoever asks to join holds no log. Where the node is a member already, its log is lost, and
   * with it what it acknowledged and whom it voted for: so its old raft id is removed and it gets a
   * new one. Two cases keep the id: a joiner that was added just now and never heard of (the answer
   * got lost), and a member that says by `heldRaftId` whose log it still has.
   */
  addMember(nodeId: string, address: string, heldRaftId?: bigint): Promise<JoinAnswer>;
  /**
   * Removes a manager; the leader's. Resolves when applied here. Rejects with FAILED_PRECONDITION
   * unless of those that stay a quorum answers within an election timeout.
   */
  removeMember(raftId: bigint): Promise<void>;
  /** Whether the others that are reachable keep a quorum without this member (wire-raft.md 1.4). */
  canRemove(raftId: bigint): boolean;
  /**
   * Gives up leading in favour of `to`, or of the member longest reachable. Rejects when none takes
   * over.
   */
  transferLeadership(to?: bigint): Promise<void>;
  /**
   * A message from a peer, by the rules of wire-raft.md 2.2. Rejects with NOT_FOUND for removed
   * senders.
   */
  receive(envelope: Envelope): Promise<void>;
  /**
   * Protects the log's key in another way; `rotate` also makes a new key for what is written from
   * now on.
   */
  rewrapKey(wrapping: KeyWrapping, rotate: boolean): Promise<void>;
  /** Applies changed settings of snapshots (Cluster.spec.raft). */
  configure(
    settings: Pick<
      RaftSettings,
      'snapshotIntervalEntries' | 'entriesKeptBehind' | 'oldSnapshotsKept'
    >,
  ): void;
  /**
   * Hands over leadership when it leads others, lets what was proposed be written, closes the
   * files.
   */
  stop(): Promise<void>;
}
