import type { MessageType } from '@skep/wire/raftpb';
import type { HardState, LogEntry, LogPosition } from '../log/entry.js';

/** A message between Raft nodes, as raftpb has it (wire-raft.md 3.1); fields not used by a type are zero. */
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
  /** Says of a vote that it was asked for by a leader's transfer, or names a read. Empty otherwise. */
  context: Uint8Array;
}

/** Where a snapshot stands; its contents are the driver's business, and never pass through the core. */
export interface SnapshotMeta extends LogPosition {
  voters: readonly bigint[];
}

export interface CoreSettings {
  /** Ticks between heartbeats of a leader. */
  heartbeatTicks: number;
  /** A follower campaigns after this many silent ticks and up to as many more, at random. */
  electionTicks: number;
  /** Ask first whether an election could be won, without raising the term. Off while a dockerd manager is a member. */
  preVote: boolean;
  /** A leader that does not hear from a quorum within an election timeout steps down. */
  checkQuorum: boolean;
  /** Encoded bytes of entries in one MsgApp; at least one entry always goes. */
  appendBytesMax: number;
  /** MsgApps under way to one follower. */
  inflightMax: number;
}

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
 * What the outside has to do. The rules of order:
 * 1. `messages` may be sent at once (a leader's appends and heartbeats, while its own write is under way).
 * 2. `hardState` and `entries` (which replace whatever stands at and after the first one's index), or the
 *    received snapshot first, are to be made durable together. Then `RaftCore.persisted` is called, and
 *    `messagesWhenDurable` (votes, acknowledgements) may be sent.
 * 3. `committed` entries are to be applied in order, each once; then `RaftCore.appliedTo` is called. They are
 *    always durable here.
 */
export interface Effects {
  messages: Message[];
  hardState: HardState | undefined;
  entries: readonly LogEntry[];
  /** A MsgSnap was accepted: the driver must save that snapshot and restart its log after it. */
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
  voters: readonly bigint[];
  /** Of the other voters; empty unless leading. */
  progress: ReadonlyMap<bigint, FollowerProgress>;
  /** Leading, and the entry that opened the term is applied: what was committed before is all here. */
  isReady: boolean;
  /** Target of a transfer of leadership under way; 0 for none. */
  transferTo: bigint;
}
