import { fromBinary } from '@bufbuild/protobuf';
import { invariant, type Random } from '@skep/platform';
import { type ConfChange, ConfChangeSchema, ConfChangeType } from '@skep/wire/raftpb';
import { EntryType, type HardState, type LogEntry, type LogPosition } from '../../log/entry.js';
import { encodeChange } from '../../membership.js';
import type { ConfirmedRead, CoreSettings, Effects, Message, SnapshotMeta } from '../contract.js';
import { RaftCore } from '../core.js';

export const TEST_SETTINGS: CoreSettings = {
  heartbeatTicks: 1,
  electionTicks: 10,
  preVote: false,
  checkQuorum: false,
  appendBytesMax: 65_535,
  inflightMax: 256,
  announcesCommits: true,
};

/** What a crash leaves. */
export interface TestDisk {
  hardState: HardState;
  /** The position before the first entry; at most that of the snapshot. */
  base: LogPosition;
  entries: LogEntry[];
  /** What was applied when it was taken; its voters are those as of then. */
  snapshot: SnapshotMeta;
}

export function emptyDisk(voters: readonly bigint[]): TestDisk {
  return {
    hardState: { term: 0n, vote: 0n, commit: 0n },
    base: { index: 0n, term: 0n },
    entries: [],
    snapshot: { index: 0n, term: 0n, voters },
  };
}

/** The bytes of a change of membership without any address. */
export function changeData(type: 'add' | 'remove', raftId: bigint): Uint8Array {
  const kind =
    type === 'add' ? ConfChangeType.ConfChangeAddNode : ConfChangeType.ConfChangeRemoveNode;
  return encodeChange({ id: 1n, type: kind, raftId });
}

export function decodeTestChange(data: Uint8Array): ConfChange {
  return fromBinary(ConfChangeSchema, data);
}

export interface TestNodeOptions {
  id: bigint;
  disk: TestDisk;
  settings: CoreSettings;
  random: Random;
  send(message: Message): void;
  observer?: TestObserver;
}

/** Is told what a node does, before it does it. */
export interface TestObserver {
  onTake(node: TestNode, effects: Effects): void;
  onApply(node: TestNode, entry: LogEntry): void;
  /** An entry was put on disk, after the one before it. */
  onWritten(node: TestNode, entry: LogEntry, previousTerm: bigint): void;
  onAnswer(node: TestNode, message: Message): void;
}

/** Whether something is to be written, or to be sent after what is being written. */
function needsDisk({ hardState, entries, snapshot, messagesWhenDurable }: Effects): boolean {
  return (
    hardState !== undefined ||
    snapshot !== undefined ||
    entries.length > 0 ||
    messagesWhenDurable.length > 0
  );
}

/**
 * A driver with a disk in memory: effects are taken, written, and carried out as the contract has
 * it.
 */
export class TestNode {
  readonly id: bigint;
  readonly disk: TestDisk;
  core: RaftCore;
  /** All that was ever applied since the start, by index. */
  applied: LogEntry[] = [];
  voters: readonly bigint[];
  reads: ConfirmedRead[] = [];
  /** Taken, and not written yet. */
  unwritten: Effects[] = [];
  readonly #options: TestNodeOptions;

  constructor(options: TestNodeOptions) {
    this.#options = options;
    this.id = options.id;
    this.disk = options.disk;
    this.voters = options.disk.snapshot.voters;
    this.core = this.#start();
  }

  #start(): RaftCore {
    const { id, settings, random } = this.#options;
    const { hardState, base, entries, snapshot } = this.disk;
    const state = {
      id,
      hardState,
      base,
      entries: [...entries],
      voters: snapshot.voters,
      applied: snapshot.index,
    };
    const core = new RaftCore(settings, state, random);
    if (snapshot.index > 0n) core.setSnapshot(snapshot);
    return core;
  }

  /** Loses what is not written, and starts again from the rest. */
  restart(): void {
    this.unwritten = [];
    this.applied = [];
    this.reads = [];
    this.voters = this.disk.snapshot.voters;
    this.core = this.#start();
  }

  /** Takes what is to be done, sends what may go at once, and applies what is committed. */
  take(): boolean {
    let hasTaken = false;
    for (let effects = this.core.takeEffects(); effects; effects = this.core.takeEffects()) {
      hasTaken = true;
      this.#options.observer?.onTake(this, effects);
      for (const message of effects.messages) this.#options.send(message);
      this.reads.push(...effects.reads);
      if (needsDisk(effects)) this.unwritten.push(effects);
      this.#apply(effects.committed);
    }
    return hasTaken;
  }

  #apply(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      this.#options.observer?.onApply(this, entry);
      this.applied.push(entry);
      if (entry.type === EntryType.EntryConfChange) this.#applyChange(entry);
    }
    const last = entries.at(-1);
    if (last) this.core.appliedTo(last.index);
  }

  #applyChange({ data }: LogEntry): void {
    const { type, nodeId } = decodeTestChange(data);
    const others = this.voters.filter((id) => id !== nodeId);
    if (type === ConfChangeType.ConfChangeAddNode) this.voters = [...others, nodeId];
    if (type === ConfChangeType.ConfChangeRemoveNode) this.voters = others;
    this.core.configChanged(this.voters);
  }

  /** Makes the oldest effects durable and sends what waited for that. False when there are none. */
  write(): boolean {
    const effects = this.unwritten.shift();
    if (!effects) return false;
    const { hardState, entries, snapshot, messagesWhenDurable, sequence } = effects;
    if (snapshot) this.#save(snapshot);
    if (hardState) this.disk.hardState = hardState;
    if (entries.length > 0) this.#append(entries);
    if (hardState || snapshot || entries.length > 0) this.core.persisted(sequence);
    if (snapshot) this.core.appliedTo(snapshot.index);
    for (const message of messagesWhenDurable) {
      this.#options.observer?.onAnswer(this, message);
      this.#options.send(message);
    }
    return true;
  }

  #append(entries: readonly LogEntry[]): void {
    const { disk } = this;
    const keep = Number(entries[0]!.index - disk.base.index) - 1;
    invariant(keep >= 0 && keep <= disk.entries.length, 'entries written with a gap');
    disk.entries.length = keep;
    for (const entry of entries) {
      this.#options.observer?.onWritten(this, entry, this.termOnDisk(entry.index - 1n)!);
      disk.entries.push(entry);
    }
  }

  #save(snapshot: SnapshotMeta): void {
    this.disk.snapshot = snapshot;
    this.disk.base = snapshot;
    this.disk.entries = [];
    this.voters = snapshot.voters;
    this.applied = [];
    this.core.setSnapshot(snapshot);
  }

  /** Does everything there is to do, until nothing is left. */
  settle(): boolean {
    let hasActed = false;
    while (this.take() || this.write()) hasActed = true;
    return hasActed;
  }

  /** Takes a snapshot of all that is applied, and drops entries but for `keep` before it. */
  compact(keep = 0n): void {
    const { disk, core } = this;
    const { applied } = core.status;
    const term = this.termOnDisk(applied)!;
    disk.snapshot = { index: applied, term, voters: this.voters };
    core.setSnapshot(disk.snapshot);
    const upTo = applied - keep;
    if (upTo <= disk.base.index) return;
    const base = { index: upTo, term: this.termOnDisk(upTo)! };
    disk.entries = disk.entries.slice(Number(upTo - disk.base.index));
    disk.base = base;
    core.compact(upTo);
  }

  get lastOnDisk(): bigint {
    return this.disk.base.index + BigInt(this.disk.entries.length);
  }

  /** Term of an entry on disk, or of the base. */
  termOnDisk(index: bigint): bigint | undefined {
    const { base, entries } = this.disk;
    return index === base.index ? base.term : entries[Number(index - base.index) - 1]?.term;
  }

  /**
   * Term of an entry that is on disk or under way to it; undefined also where a snapshot stands for
   * it.
   */
  termOf(index: bigint): bigint | undefined {
    for (const { entries, snapshot } of [...this.unwritten].reverse()) {
      const first = entries[0]?.index;
      if (first !== undefined && index >= first) return entries[Number(index - first)]?.term;
      if (snapshot) return snapshot.index === index ? snapshot.term : undefined;
    }
    return this.termOnDisk(index);
  }
}
