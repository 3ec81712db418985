import {
  type Clock,
  Code,
  type Disk,
  errorMessage,
  hasErrno,
  invariant,
  type Logger,
  type Random,
  RpcError,
  randomU63,
} from '@skep/platform';
import type { Proposer, StateMachine } from '../contract.js';
import { LogCorruptError, NoSpaceError } from '../errors.js';
import type { KeyWrapping } from '../keys/key-file.js';
import * as limits from '../limits.js';
import { EntryType, type LogEntry } from '../log/entry.js';
import {
  ConfChangeType,
  decodeMember,
  encodeChange,
  encodeMember,
  type Member,
} from '../membership.js';
import { type DiskState, openDiskState } from './disk-state.js';
import { Proposals } from './proposals.js';
import { Replica } from './replica.js';

/** How much is kept and how often; each has its default in limits.ts. */
export interface SoloNodeSettings {
  snapshotIntervalEntries?: number;
  entriesKeptBehind?: number;
  oldSnapshotsKept?: number;
  segmentBytes?: number;
  reserveBytes?: number;
}

export interface SoloNodeOptions extends SoloNodeSettings {
  disk: Disk;
  /** Directory of Raft's own, made when missing. */
  directory: string;
  random: Random;
  clock: Clock;
  log: Logger;
  /** This node's id, the same at every start. */
  nodeId: string;
  /**
   * host:port where other managers reach this one. A new one is written to the log at the next
   * start.
   */
  address: string;
  keyWrapping?: KeyWrapping;
  /** The log failed or is damaged: the process must stop. Called once at most. */
  onFatal(error: unknown): void;
}

/** What others may know of a node. */
export interface NodeStatus {
  raftId: bigint;
  term: bigint;
  /** Raft id of the leader; 0 when there is none. */
  leaderId: bigint;
  /** Index of the last entry applied. */
  appliedIndex: bigint;
  members: readonly Member[];
}

type Phase = 'new' | 'starting' | 'ready' | 'stopping' | 'stopped' | 'failed';

/**
 * A swarm's only manager: what it has synced is committed. Log, snapshots and membership are those
 * of a full Raft node, so that a second manager can join later.
 */
export class SoloNode implements Proposer {
  readonly #options: SoloNodeOptions;
  readonly #proposals = new Proposals({
    entries: limits.PENDING_ENTRIES_MAX,
    bytes: limits.PENDING_BYTES_MAX,
  });
  #phase: Phase = 'new';
  #machine: StateMachine | undefined;
  #state: DiskState | undefined;
  #replica: Replica | undefined;
  #raftId = 0n;
  #term = 0n;
  #nextIndex = 0n;
  #snapshotDueAt = 0n;
  #isWriting = false;
  #written: Promise<void> | undefined;
  #snapshotting: Promise<void> | undefined;

  constructor(options: SoloNodeOptions) {
    this.#options = options;
  }

  /**
   * Founds a swarm of one, or takes up the log there is; then wins an election, and has applied the
   * whole log to `machine` when it resolves. Rejects, having changed nothing that counts, when the
   * log is damaged (`LogCorruptError`), belongs to another node or has other voters
   * (FAILED_PRECONDITION).
   */
  async start(machine: StateMachine): Promise<void> {
    invariant(this.#phase === 'new', 'started twice');
    this.#phase = 'starting';
    const { oldSnapshotsKept = limits.OLD_SNAPSHOTS_KEPT } = this.#options;
    const state = await openDiskState({ ...this.#options, oldSnapshotsKept });
    const replica = new Replica(machine);
    try {
      this.#raftId = await this.#identity(state);
      await replica.recover(state);
      replica.checkSoleVoter(this.#raftId);
      replica.apply(await this.#campaign(state, replica.membership.member(this.#raftId)));
    } catch (error) {
      this.#phase = 'failed';
      await state.log.close();
      throw error;
    }
    this.#machine = machine;
    this.#state = state;
    this.#replica = replica;
    this.#nextIndex = state.log.last.index + 1n;
    const newest = state.snapshots.positions.at(-1)?.index ?? 0n;
    this.#snapshotDueAt = newest + this.#snapshotInterval;
    this.#phase = 'ready';
    const fields = { term: String(this.#term), index: String(replica.applied.index) };
    this.#options.log.info(fields, 'raft log recovered, this manager leads');
    this.#snapshotIfDue();
  }

  get status(): NodeStatus {
    const replica = this.#replica;
    return {
      raftId: this.#raftId,
      term: this.#term,
      leaderId: this.#phase === 'ready' ? this.#raftId : 0n,
      appliedIndex: replica?.applied.index ?? 0n,
      members: replica?.membership.members ?? [],
    };
  }

  get nextIndex(): bigint {
    this.#checkReady();
    return this.#nextIndex;
  }

  propose(entry: Uint8Array): void {
    const { log } = this.#checkReady();
    if (entry.length === 0 || entry.length > limits.ENTRY_PAYLOAD_BYTES_MAX) {
      const text = `raft: an entry of ${entry.length} bytes cannot be proposed`;
      throw new RpcError(Code.INVALID_ARGUMENT, text);
    }
    this.#proposals.checkLimits(entry.length);
    const { count, bytes } = this.#proposals;
    if (!log.hasRoom(count + 1, bytes + entry.length)) throw new NoSpaceError();
    this.#proposals.add(this.#nextIndex++, this.#term, entry);
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#written = this.#writeAll();
  }

  /** Lets what was proposed be written and applied, then closes the files. */
  async stop(): Promise<void> {
    if (this.#phase !== 'ready' && this.#phase !== 'failed') return;
    if (this.#phase === 'ready') this.#phase = 'stopping';
    await this.#written;
    await this.#snapshotting;
    this.#phase = 'stopped';
    if (this.#proposals.count > 0) {
      this.#giveUp(new RpcError(Code.UNAVAILABLE, 'raft: this manager is stopping'));
    }
    await this.#state?.log.close();
    this.#state = undefined;
  }

  #checkReady(): DiskState {
    if (this.#phase === 'ready' && this.#state) return this.#state;
    throw new RpcError(Code.FAILED_PRECONDITION, 'raft: this manager is not ready to write');
  }

  /** This node's Raft id, from the log or, for a new log, by founding a swarm. */
  async #identity({ log, snapshots }: DiskState): Promise<bigint> {
    const { nodeId, address, directory, random } = this.#options;
    if (log.metadata) {
      const recorded = decodeMember(log.metadata);
      if (recorded.nodeId === nodeId) return recorded.raftId;
      const text = `raft: the log in ${directory} belongs to node ${recorded.nodeId}`;
      throw new RpcError(Code.FAILED_PRECONDITION, text);
    }
    if (snapshots.positions.length > 0) {
      throw new LogCorruptError(directory, 'there are snapshots, and no log');
    }
    const raftId = randomU63(random);
    const member = { raftId, nodeId, address };
    const type = ConfChangeType.ConfChangeAddNode;
    const founding: LogEntry = {
      index: 1n,
      term: 1n,
      type: EntryType.EntryConfChange,
      data: encodeChange({ id: 0n, type, raftId, member }),
    };
    const hardState = { term: 1n, vote: 0n, commit: 1n };
    await log.append({ metadata: encodeMember(member), hardState, entries: [founding] }, true);
    return raftId;
  }

  /**
   * Votes for itself in a new term and opens that with an empty entry, in one batch: alone, both
   * are decided as soon as they are synced. May use the log's reserve, so that a full disk stops no
   * one from starting.
   */
  async #campaign({ log }: DiskState, self: Member | undefined): Promise<readonly LogEntry[]> {
    const { nodeId, address, random } = this.#options;
    const raftId = this.#raftId;
    const term = log.hardState.term + 1n;
    const index = log.last.index + 1n;
    const data = new Uint8Array(0);
    const entries: LogEntry[] = [{ index, term, type: EntryType.EntryNormal, data }];
    if (self?.address !== address) {
      const type = ConfChangeType.ConfChangeUpdateNode;
      const member = { raftId, nodeId, address };
      const change = encodeChange({ id: randomU63(random), type, raftId, member });
      entries.push({ index: index + 1n, term, type: EntryType.EntryConfChange, data: change });
    }
    const hardState = { term, vote: raftId, commit: log.last.index };
    await log.append({ hardState, entries }, true);
    this.#term = term;
    return entries;
  }

  /**
   * Writes what is proposed, batch after batch; what arrives during a sync goes with the next one.
   */
  async #writeAll(): Promise<void> {
    // Proposals made in one turn of the event loop share a sync.
    await Promise.resolve();
    while (this.#proposals.isWaiting) {
      try {
        await this.#writeBatch();
      } catch (error) {
        if (error instanceof NoSpaceError) this.#giveUp(error);
        else this.#fail(error);
      }
    }
    this.#isWriting = false;
  }

  async #writeBatch(): Promise<void> {
    const { log } = this.#state!;
    const entries = this.#proposals.take({
      entries: limits.BATCH_ENTRIES_MAX,
      bytes: limits.BATCH_BYTES_MAX,
    });
    const hardState = { term: this.#term, vote: this.#raftId, commit: log.last.index };
    await log.append({ hardState, entries });
    if (this.#phase === 'failed') return;
    this.#proposals.finish();
    this.#replica?.apply(entries);
    this.#snapshotIfDue();
  }

  /**
   * Drops all proposals. None of them was written, unless the log failed: so the next index is
   * known.
   */
  #giveUp(reason: Error): void {
    this.#proposals.clear();
    if (this.#state) this.#nextIndex = this.#state.log.last.index + 1n;
    this.#machine?.abort(reason);
  }

  #fail(error: unknown): void {
    if (this.#phase === 'failed') return;
    this.#phase = 'failed';
    this.#options.log.error({ error: errorMessage(error) }, 'raft failed, this manager stops');
    this.#giveUp(new RpcError(Code.UNAVAILABLE, 'raft: the log has failed', { cause: error }));
    this.#options.onFatal(error);
  }

  get #snapshotInterval(): bigint {
    return BigInt(this.#options.snapshotIntervalEntries ?? limits.SNAPSHOT_INTERVAL_ENTRIES);
  }

  #snapshotIfDue(): void {
    const replica = this.#replica;
    if (!replica || this.#snapshotting || this.#phase === 'failed') return;
    if (replica.applied.index < this.#snapshotDueAt) return;
    this.#snapshotDueAt = replica.applied.index + this.#snapshotInterval;
    this.#snapshotting = this.#takeSnapshot(replica).finally(() => {
      this.#snapshotting = undefined;
    });
  }

  async #takeSnapshot(replica: Replica): Promise<void> {
    const { log, snapshots } = this.#state!;
    try {
      const snapshot = replica.snapshot();
      await snapshots.save(snapshot);
      const behind = BigInt(this.#options.entriesKeptBehind ?? limits.ENTRIES_KEPT_BEHIND);
      const oldest = snapshots.positions[0]?.index ?? 0n;
      const keepFrom = snapshot.index - behind;
      const compactTo = keepFrom < oldest ? keepFrom : oldest;
      if (compactTo > 0n) await log.compact(compactTo);
    } catch (error) {
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) return this.#fail(error);
      this.#snapshotDueAt = replica.applied.index + this.#snapshotInterval / 10n + 1n;
      this.#options.log.warn({}, 'no space for a snapshot; the log is kept, and grows');
    }
  }
}
