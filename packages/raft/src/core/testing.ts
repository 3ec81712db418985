import { fromBinary } from '@bufbuild/protobuf';
import { invariant, type Random } from '@skep/platform';
import { type ConfChange, ConfChangeSchema, ConfChangeType } from '@skep/wire/raftpb';
import { EntryType, type HardState, type LogEntry, type LogPosition } from '../log/entry.js';
import { encodeChange } from '../membership.js';
import type { ConfirmedRead, CoreSettings, Effects, Message, SnapshotMeta } from './contract.js';
import { RaftCore } from './core.js';

export const TEST_SETTINGS: CoreSettings = {
  heartbeatTicks: 1,
  electionTicks: 10,
  preVote: false,
  checkQuorum: false,
  appendBytesMax: 65_535,
  inflightMax: 256,
};

/** What a crash leaves. */
export interface TestDisk {
  hardState: HardState;
  entries: LogEntry[];
  /** Everything before the first entry; its voters are those as of then. */
  snapshot: SnapshotMeta;
}

export function emptyDisk(voters: readonly bigint[]): TestDisk {
  return {
    hardState: { term: 0n, vote: 0n, commit: 0n },
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
}

/** A driver with a disk in memory: effects are taken, written, and carried out as the contract has it. */
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
    const { hardState, entries, snapshot } = this.disk;
    const state = {
      id,
      hardState,
      base: snapshot,
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
      for (const message of effects.messages) this.#options.send(message);
      this.reads.push(...effects.reads);
      this.unwritten.push(effects);
      this.#apply(effects.committed);
    }
    return hasTaken;
  }

  #apply(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
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
    for (const message of messagesWhenDurable) this.#options.send(message);
    return true;
  }

  #append(entries: readonly LogEntry[]): void {
    const { disk } = this;
    const keep = Number(entries[0]!.index - disk.snapshot.index) - 1;
    invariant(keep >= 0 && keep <= disk.entries.length, 'entries written with a gap');
    disk.entries.length = keep;
    disk.entries.push(...entries);
  }

  #save(snapshot: SnapshotMeta): void {
    this.disk.snapshot = snapshot;
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

  /** A snapshot of all that is applied, before which `keep` entries stay in the log. */
  compact(keep = 0n): void {
    const { applied } = this.core.status;
    const term = this.#termOf(applied);
    const meta = { index: applied, term, voters: this.voters };
    this.core.setSnapshot(meta);
    const upTo = applied - keep;
    if (upTo <= this.disk.snapshot.index) return;
    this.core.compact(upTo);
    // The test's disk has one position for both: its snapshot must be where its log begins.
    if (keep === 0n) {
      this.disk.entries = this.disk.entries.slice(Number(applied - this.disk.snapshot.index));
      this.disk.snapshot = meta;
    }
  }

  #termOf(index: bigint): bigint {
    const { snapshot, entries } = this.disk;
    if (index === snapshot.index) return snapshot.term;
    return entries[Number(index - snapshot.index) - 1]!.term;
  }

  get last(): LogPosition {
    return this.core.status.last;
  }
}

export interface TestClusterOptions {
  settings?: Partial<CoreSettings>;
  random: Random;
  /** Ids of the first voters. */
  voters: readonly bigint[];
}

/** Nodes joined by a network that loses nothing, in order, unless told otherwise. */
export class TestCluster {
  readonly nodes = new Map<bigint, TestNode>();
  /** Under way. */
  messages: Message[] = [];
  /** Messages for which this is false are lost. */
  passes: (message: Message) => boolean = () => true;
  readonly settings: CoreSettings;
  readonly #random: Random;

  constructor({ settings, random, voters }: TestClusterOptions) {
    this.settings = { ...TEST_SETTINGS, ...settings };
    this.#random = random;
    for (const id of voters) this.add(id, emptyDisk(voters));
  }

  add(id: bigint, disk: TestDisk = emptyDisk([]), settings: Partial<CoreSettings> = {}): TestNode {
    const node = new TestNode({
      id,
      disk,
      settings: { ...this.settings, ...settings },
      random: this.#random,
      send: (message) => this.messages.push(message),
    });
    this.nodes.set(id, node);
    return node;
  }

  node(id: bigint): TestNode {
    const node = this.nodes.get(id);
    invariant(node, 'no such node', { id: `${id}` });
    return node;
  }

  get leader(): TestNode | undefined {
    const leaders = [...this.nodes.values()].filter(({ core }) => core.status.role === 'leader');
    leaders.sort((a, b) => (a.core.status.term < b.core.status.term ? 1 : -1));
    return leaders[0];
  }

  /** Lets everything happen that can without time passing. */
  settle(): void {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const node of this.nodes.values()) if (node.settle()) isQuiet = false;
      if (this.deliver()) isQuiet = false;
    }
  }

  /** Delivers what is under way. False when there is nothing. */
  deliver(): boolean {
    const messages = this.messages;
    this.messages = [];
    for (const message of messages) {
      if (this.passes(message)) this.nodes.get(message.to)?.core.step(message);
    }
    return messages.length > 0;
  }

  /** Ticks every node, or those named, and lets things settle after each tick. */
  tick(ticks: number, ids: readonly bigint[] = [...this.nodes.keys()]): void {
    for (let count = 0; count < ticks; count++) {
      for (const id of ids) this.node(id).core.tick();
      this.settle();
    }
  }

  campaign(id: bigint): void {
    this.node(id).core.campaign(false);
    this.settle();
  }

  propose(id: bigint, text: string): LogPosition {
    const position = this.node(id).core.propose(Buffer.from(text));
    this.settle();
    return position;
  }

  /** Cuts the nodes named off from the others. */
  isolate(...ids: bigint[]): void {
    this.passes = ({ from, to }) => ids.includes(from) === ids.includes(to);
  }

  heal(): void {
    this.passes = () => true;
  }
}

/** Applied texts, without the empty entries that open terms and without changes. */
export function textsOf(node: TestNode): string[] {
  return node.applied
    .filter(({ type, data }) => type === EntryType.EntryNormal && data.length > 0)
    .map(({ data }) => Buffer.from(data).toString());
}
