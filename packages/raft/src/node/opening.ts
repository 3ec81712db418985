import { Code, type Random, RpcError, randomU63 } from '@skep/platform';
import type { StateMachine } from '../contract.js';
import type { CoreState } from '../core/contract.js';
import { LogCorruptError } from '../errors.js';
import { ENTRIES_KEPT_BEHIND, OLD_SNAPSHOTS_KEPT, REPLAY_BYTES_MAX } from '../limits.js';
import { EntryType, type LogEntry, largest } from '../log/entry.js';
import type { RaftLog } from '../log/log.js';
import {
  ConfChangeType,
  decodeMember,
  encodeChange,
  encodeMember,
  type Member,
  type MembershipChange,
  removes,
} from '../membership.js';
import type { Entry, RaftNodeOptions } from './contract.js';
import { type DiskState, openDiskState } from './disk-state.js';
import { type Flaws, flawedDisk } from './flaws.js';
import { loadJoined, saveJoined } from './joined.js';
import { Replica } from './replica.js';

/** A node's disk, and what it amounts to. */
export interface Opened {
  state: DiskState;
  replica: Replica;
  raftId: bigint;
  /** The others, as the cluster answered when this node joined: the log does not say so yet. */
  joined: readonly Member[];
}

/**
 * Opens the log there is, or makes one as the entry says, and applies what is known to be
 * committed. Rejects, having changed nothing that counts, when the log is damaged
 * (`LogCorruptError`), is of another node, or is missing and should be there (FAILED_PRECONDITION).
 */
export async function openNode(
  options: RaftNodeOptions,
  machine: StateMachine,
  entry: Entry,
): Promise<Opened> {
  const { disk, directory, settings, flaws } = options;
  const oldSnapshotsKept = settings?.oldSnapshotsKept ?? OLD_SNAPSHOTS_KEPT;
  const diskOptions = { ...options, ...settings, disk: flawedDisk(disk, flaws), oldSnapshotsKept };
  const state = await openDiskState(diskOptions);
  const replica = new Replica(machine);
  try {
    const raftId = await identity(options, state, entry);
    await recover(state, replica, flaws);
    if (entry.kind === 'force-new-cluster') await standAlone(options, state, replica, raftId);
    const isKnown = replica.membership.member(raftId) !== undefined;
    return { state, replica, raftId, joined: isKnown ? [] : await loadJoined(disk, directory) };
  } catch (error) {
    await state.log.close();
    throw error;
  }
}

/**
 * This node's Raft id: as the log says, or for a new log as its founding or the cluster's answer
 * does.
 */
async function identity(
  options: RaftNodeOptions,
  { log, snapshots }: DiskState,
  entry: Entry,
): Promise<bigint> {
  const { nodeId, address, directory, random } = options;
  if (log.metadata) {
    const recorded = decodeMember(log.metadata);
    if (recorded.nodeId === nodeId) return recorded.raftId;
    const text = `raft: the log in ${directory} belongs to node ${recorded.nodeId}`;
    throw new RpcError(Code.FAILED_PRECONDITION, text);
  }
  if (snapshots.positions.length > 0) {
    throw new LogCorruptError(directory, 'there are snapshots, and no log');
  }
  if (entry.kind === 'join') return join(options, log, entry);
  if (entry.kind !== 'found') {
    throw new RpcError(Code.FAILED_PRECONDITION, `raft: there is no log in ${directory}`);
  }
  const founder = { raftId: randomU63(random), nodeId, address };
  await writeFounding(log, founder);
  return founder.raftId;
}

/**
 * Keeps the id before anything else: whoever acknowledges or votes must be known by one id for
 * ever.
 */
async function join(
  { disk, directory, nodeId, address }: RaftNodeOptions,
  log: RaftLog,
  entry: Entry & { kind: 'join' },
): Promise<bigint> {
  const { raftId, members } = await entry.join();
  await saveJoined(disk, directory, members);
  const metadata = encodeMember({ raftId, nodeId, address });
  await log.append({ metadata, hardState: { term: 0n, vote: 0n, commit: 0n } }, true);
  return raftId;
}

/** The first entry of a cluster, committed as soon as it is written. */
async function writeFounding(log: RaftLog, founder: Member): Promise<void> {
  const type = ConfChangeType.ConfChangeAddNode;
  const data = encodeChange({ id: 0n, type, raftId: founder.raftId, member: founder });
  const entries = [{ index: 1n, term: 1n, type: EntryType.EntryConfChange, data }];
  const hardState = { term: 1n, vote: 0n, commit: 1n };
  await log.append({ metadata: encodeMember(founder), hardState, entries }, true);
}

/** State from the newest snapshot and every entry after it that is known to be committed. */
async function recover(
  { log, snapshots }: DiskState,
  replica: Replica,
  flaws: Flaws | undefined,
): Promise<void> {
  const snapshot = await snapshots.newest(log.base);
  if (snapshot)
    replica.restore(flaws?.has('voters-forgotten') ? { ...snapshot, voters: [] } : snapshot);
  const { applied } = replica;
  if (log.termOf(applied.index) !== applied.term) {
    // A snapshot was received, and a crash came before the log was begun anew after it.
    const { hardState } = log;
    const commit = largest(hardState.commit, applied.index);
    await log.append({ start: applied, hardState: { ...hardState, commit } }, true);
  }
  await applyUpTo(log, replica, log.hardState.commit);
}

async function applyUpTo(log: RaftLog, replica: Replica, last: bigint): Promise<void> {
  while (replica.applied.index < last) {
    const next = replica.applied.index + 1n;
    for (const entry of await log.read(next, last, REPLAY_BYTES_MAX)) replica.apply(entry);
  }
}

/**
 * Makes this node the only member, with all that its log holds: entries not known to be committed
 * may have been acknowledged all the same, and those that would know are gone. Only what would
 * remove this node is dropped, with what follows it.
 */
async function standAlone(
  { nodeId, address, random }: RaftNodeOptions,
  { log }: DiskState,
  replica: Replica,
  raftId: bigint,
): Promise<void> {
  await applyTail(log, replica, raftId);
  const { membership, applied } = replica;
  if (membership.hasRemoved(raftId)) {
    const text = 'raft: this node was removed from its cluster, whose log it cannot go on with';
    throw new RpcError(Code.FAILED_PRECONDITION, text);
  }
  const ids = [...membership.voters, ...membership.members.map((member) => member.raftId)];
  const others = [...new Set(ids)].filter((id) => id !== raftId);
  const changes = others.map((id) => removal(id, random));
  if (!membership.hasVoter(raftId)) {
    const type = ConfChangeType.ConfChangeAddNode;
    changes.push({ id: randomU63(random), type, raftId, member: { raftId, nodeId, address } });
  }
  const term = log.hardState.term + 1n;
  const opening = { type: EntryType.EntryNormal, data: new Uint8Array(0) };
  const added = changes.map((change) => {
    return { type: EntryType.EntryConfChange, data: encodeChange(change) };
  });
  const entries = [opening, ...added].map((entry, number): LogEntry => {
    return { ...entry, term, index: applied.index + BigInt(number + 1) };
  });
  const commit = applied.index + BigInt(entries.length);
  await log.append({ hardState: { term, vote: raftId, commit }, entries }, true);
  for (const entry of entries) replica.apply(entry);
}

/** Applies what follows the last entry applied, up to one that removes this node. */
async function applyTail(log: RaftLog, replica: Replica, raftId: bigint): Promise<void> {
  while (replica.applied.index < log.last.index) {
    const next = replica.applied.index + 1n;
    for (const entry of await log.read(next, log.last.index, REPLAY_BYTES_MAX)) {
      if (entry.type === EntryType.EntryConfChange && removes(entry.data, raftId)) return;
      replica.apply(entry);
    }
  }
}

function removal(raftId: bigint, random: Random): MembershipChange {
  return { id: randomU63(random), type: ConfChangeType.ConfChangeRemoveNode, raftId };
}

/**
 * What a core starts from: the log as it is on disk, as far as slow followers may want it. It reaches back to the
 * newest snapshot at least: a follower that needs what stands before could not be helped otherwise.
 */
export async function coreState(
  { log, snapshots }: DiskState,
  { applied, membership }: Replica,
  id: bigint,
): Promise<CoreState> {
  const newest = snapshots.positions.at(-1)?.index ?? 0n;
  const behind = newest - BigInt(ENTRIES_KEPT_BEHIND);
  const baseIndex = largest(log.base.index, behind);
  const base = { index: baseIndex, term: log.termOf(baseIndex)! };
  const entries: LogEntry[] = [];
  while (baseIndex + BigInt(entries.length) < log.last.index) {
    const next = baseIndex + BigInt(entries.length) + 1n;
    entries.push(...(await log.read(next, log.last.index, REPLAY_BYTES_MAX)));
  }
  const { hardState } = log;
  const { voters } = membership;
  return { id, hardState, base, entries, voters, applied: applied.index };
}
