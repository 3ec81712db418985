import type { MessageType } from '@skep/wire/raftpb';
import type { HardState, LogEntry, LogPosition } from '../log/entry.js';

/**
 * A message between Raft nodes, as raftpb has it (wire-raft.md 3.1); fields not used by a type are
 * zero.
 */
export interface Message {
  type: MessageType;
  to: bigint;
  from: bigint;
  term: bigint;
  logTerm: bigint;
  index: bigint;
  entries: readonly LogEntry[];
  commit: bigint;
  /** Only with MsgSnap. */
  snapshot: SnapshotMeta | undefined;
  reject: boolean;
  rejectHint: bigint;
  /**
   * Says of a vote that a leader's transfer asked for it, or of a heartbeat which reads it
   * confirms. Empty otherwise. (The name of a read itself travels as the data of the one entry of
   * MsgReadIndex and its answer: etcd-raft's leader fails without that entry.)
   */
  context: Uint8Array;
}

/**
 * Where a snapshot stands; its contents are the driver's business, and never pass through the core.
 */
export interface SnapshotMeta extends LogPosition {
  voters: readonly bigint[];
}

export interface CoreSettings {
  /** Ticks between heartbeats of a leader. */
  heartbeatTicks: number;
  /** A follower campaigns after this many silent ticks and up to as many more, at random. */
  electionTicks: number;
  /**
   * Ask first whether an election could be won, without raising the term. Off while a dockerd
   * manager is a member.
   */
  preVote: boolean;
  /** A leader that does not hear from a quorum within an election timeout steps down. */
  checkQuorum: boolean;
  /** Encoded bytes of entries in one MsgApp; at least one entry always goes. */
  appendBytesMax: number;
  /** MsgApps under way to one follower. */
  inflightMax: number;
  /**
   * Followers are told of each commit at once, as etcd does; else with the next append or
   * heartbeat, which halves the messages of a lone write. That a change of membership is committed
   * they are always told at once.
   */
  announcesCommits: boolean;
  /** Only for tests of the tests: known bugs of other systems, switched on. */
  faults?: ReadonlySet<CoreFault>;
}

/** Each breaks a promise, so that a test or a simulation can show that it would be noticed. */
export type CoreFault =
  /** A new leader changes membership before an entry of its term is committed (raft-dev 2015). */
  | 'change-before-own-term'
  /** Entries of former terms are committed by counting copies (Raft paper 5.4.2, figure 8). */
  | 'commit-former-terms'
  /**
   * Votes, acknowledgements and the leader's own copy count before they are durable (etcd 14370).
   */
  | 'acknowledge-before-durable'
  /** A leader answers reads without asking a quorum (etcd 20418). */
  | 'read-without-quorum'
  /** A snapshot is taken whatever it tells, old ones as well (etcd 18055). */
  | 'take-old-snapshot'
  /** A vote is given to everybody who asks. */
  | 'vote-twice';

/** What a core is restored from. */
export interface CoreState {
  id: bigint;
  hardState: HardState;
  /** The position before the first entry held. */
  base: LogPosition;
  /** All entries held, durable, contiguous from `base`. */
  entries: readonly LogEntry[];
  /** Configuration as of `applied`. */
  voters: readonly bigint[];
  applied: bigint;
}

/** A read that may be answered from any state applied up to `index`. */
export interface ConfirmedRead {
  context: Uint8Array;
  index: bigint;
}

/**
 * What the outside has to do. Effects come in an order; several may be under way at a time. The
 * rules:
 * 1. `messages` may be sent at once (a leader's appends and heartbeats, while its own write is
 *    under way).
 * 2. `hardState` and `entries` (which replace whatever stands at and after the first one's index),
 *    or the received snapshot first, are to be made durable together, all or nothing, in the order
 *    of the effects. Then `RaftCore.persisted(sequence)` is called. `messagesWhenDurable` (votes,
 *    acknowledgements) may be sent when these and all earlier effects are durable: where nothing is
 *    to be written here, and nothing is under way, at once.
 * 3. `committed` entries are to be applied in order, each once, after the snapshot where there is
 *    one; then `RaftCore.appliedTo` is called. They are always durable here.
 */
export interface Effects {
  /** Counts the effects taken, from 1. */
  sequence: number;
  messages: Message[];
  hardState: HardState | undefined;
  entries: readonly LogEntry[];
  /**
   * A MsgSnap was accepted: the driver must save that snapshot and restart its log after it,
   * restore its state from it, and call `appliedTo` with its index. The core has its voters
   * already.
   */
  snapshot: SnapshotMeta | undefined;
  messagesWhenDurable: Message[];
  committed: readonly LogEntry[];
  reads: readonly ConfirmedRead[];
}

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** How far a follower is, as its leader knows. */
export interface FollowerProgress {
  state: 'probe' | 'replicate' | 'snapshot';
  match: bigint;
  next: bigint;
  /** Heard of since the last check of the quorum. */
  recentlyActive: boolean;
  /** How often it answered this leader, in this term. */
  answers: number;
}

export interface CoreStatus {
  role: Role;
  term: bigint;
  vote: bigint;
  /** Raft id of the leader of this term; 0 while unknown. */
  leaderId: bigint;
  commit: bigint;
  applied: bigint;
  /** Position of the last entry of the log, durable or not. */
  last: LogPosition;
  voters: ReadonlySet<bigint>;
  /**
   * Leading, and the entry that opened the term is applied: what was committed before is all here.
   */
  isReady: boolean;
  /** Target of a transfer of leadership under way; 0 for none. */
  transferTo: bigint;
}
