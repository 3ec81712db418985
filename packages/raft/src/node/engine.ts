import { type Cancel, type Clock, invariant, type Logger, type Random } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import type {
  ConfirmedRead,
  CoreSettings,
  CoreState,
  CoreStatus,
  Effects,
  Message,
  SnapshotMeta,
} from '../core/contract.js';
import { RaftCore } from '../core/core.js';
import type { NoSpaceError } from '../errors.js';
import { SPACE_RETRY_MS } from '../limits.js';
import type { LogEntry, LogPosition } from '../log/entry.js';
import type { Member } from '../membership.js';
import type { Envelope, PeerTransport } from '../peers/contract.js';
import { Announced } from './announced.js';
import type { DiskState } from './disk-state.js';
import type { Flaws } from './flaws.js';
import { coreState } from './opening.js';
import { Persister, type Step } from './persister.js';
import type { Replica } from './replica.js';
import { Strangers } from './strangers.js';

/** What an engine tells of. Called in the order of events; must not throw. */
export interface EngineEvents {
  /**
   * This node led in a term and does so no more. Comes before anything that others wrote is
   * applied.
   */
  onDeposed(): void;
  /**
   * What was to be written is dropped for want of space, and the core begins anew from the disk.
   */
  onNoSpace(error: NoSpaceError): void;
  onApplied(entry: LogEntry, changesMembers: boolean): void;
  /** The state was replaced by a snapshot's. */
  onRestored(position: LogPosition): void;
  /** Before entries up to this position, which are committed, are applied. */
  onCommitted(position: LogPosition): void;
  onRead(read: ConfirmedRead): void;
  /** After all of the above, for anything that may have changed. */
  onProgress(): void;
  /** The disk failed or an invariant is broken. */
  onFailed(error: unknown): void;
}

export interface EngineOptions {
  state: DiskState;
  replica: Replica;
  raftId: bigint;
  /** The others, as a joiner was told when it joined. */
  joined: readonly Member[];
  settings: CoreSettings;
  tickMs: number;
  random: Random;
  clock: Clock;
  log: Logger;
  transport: PeerTransport;
  events: EngineEvents;
  flaws: Flaws | undefined;
}

/** Drives a core: carries out its effects in the order they ask for, and gives it time. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #persister: Persister;
  #core: RaftCore;
  #cancelTick: Cancel | undefined;
  #isPumpDue = false;
  #isPumping = false;
  #isStopped = false;
  /** The core is being made anew; it must not be given anything. */
  #isRenewing = false;
  /** Term this node leads in; 0 while it does not lead. */
  #leadsIn = 0n;
  #peers = new Map<bigint, Member>();
  readonly #announced = new Announced();
  readonly #strangers: Strangers;
  readonly #heardFrom = new Set<bigint>();
  /** What came with the MsgSnap being stepped. */
  #arriving: Envelope | undefined;
  /** When writing last failed for want of space, on the monotonic clock. */
  #noSpaceAtMs: number | undefined;

  private constructor(options: EngineOptions, core: RaftCore) {
    this.#options = options;
    this.#core = core;
    this.#strangers = new Strangers(options);
    this.#persister = new Persister({
      state: options.state,
      onDurable: (steps) => this.#onDurable(steps),
      onNoSpace: (error) => void this.#renew(error),
      onFailed: (error) => this.#fail(error),
      flaws: options.flaws,
    });
  }

  static async start(options: EngineOptions): Promise<Engine> {
    const initial = await initialState(options);
    const engine = new Engine(options, makeCore(options, initial));
    engine.#announced.note(initial.entries);
    return engine;
  }

  /**
   * Lets time run, and does what there is to do. A node that alone decides leads when its disk has
   * it so.
   */
  run(): void {
    this.#tellMembers();
    this.#tickLater();
    this.#campaignIfAlone();
    this.pump();
  }

  get status(): CoreStatus {
    return this.#core.status;
  }

  get isRenewing(): boolean {
    return this.#isRenewing;
  }

  /** How often one of the others answered this node, as the leader of its term. */
  answersOf(raftId: bigint): number {
    return this.#core.progress.get(raftId)?.answers ?? 0;
  }

  /** Whether this is another member's id. */
  knows(raftId: bigint): boolean {
    return this.#peers.has(raftId);
  }

  hasHeardFrom(raftId: bigint): boolean {
    return this.#heardFrom.has(raftId);
  }

  /** Calls `fn` with the core, then carries out what follows. Nothing happens once stopped. */
  with<T>(fn: (core: RaftCore) => T): T | undefined {
    if (this.#isStopped || this.#isRenewing) return undefined;
    try {
      return fn(this.#core);
    } finally {
      this.pumpSoon();
    }
  }

  /** A message arrived. */
  receive(envelope: Envelope): void {
    if (this.#isStopped || this.#isRenewing) return;
    const { from } = envelope.message;
    if (this.#peers.has(from)) this.#heardFrom.add(from);
    this.#guard(() => {
      this.#arriving = envelope;
      this.#core.step(envelope.message);
    });
    // A snapshot's contents go with the effects of this very message.
    if (envelope.message.type === MessageType.MsgSnap) this.pump();
    else this.pumpSoon();
    this.#arriving = undefined;
  }

  /**
   * Once for all that happens in this turn of the event loop: so proposals share messages and
   * syncs.
   */
  pumpSoon(): void {
    if (this.#isPumpDue || this.#isStopped) return;
    this.#isPumpDue = true;
    this.#options.clock.soon(() => {
      this.#isPumpDue = false;
      this.pump();
    });
  }

  /** Carries out all effects there are. */
  pump(): void {
    if (this.#isPumping || this.#isStopped || this.#isRenewing) return;
    this.#isPumping = true;
    this.#guard(() => {
      const isOver = () => this.#isStopped || this.#isRenewing;
      for (let next = this.#core.takeEffects(); next; ) {
        this.#carryOut(next);
        next = isOver() ? undefined : this.#core.takeEffects();
      }
      this.#noteRole();
      this.#options.events.onProgress();
    });
    this.#isPumping = false;
  }

  /** Writes something, and resolves when that is done. */
  flush(): Promise<void> {
    return this.#persister.flush();
  }

  /** Resolves when no write is under way. */
  settled(): Promise<void> {
    return this.#persister.settled();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTick?.();
    this.#persister.stop();
  }

  #carryOut(effects: Effects): void {
    this.#noteRole();
    for (const message of effects.messages) this.#send(message);
    if (this.#announced.note(effects.entries)) this.#tellMembers();
    this.#persister.push({ effects, received: this.#received(effects.snapshot) });
    this.#apply(effects.committed);
    for (const read of effects.reads) this.#options.events.onRead(read);
  }

  /** What this node proposed as leader is lost before anything else is applied. */
  #noteRole(): void {
    const { role, term } = this.#core.status;
    const leadsIn = role === 'leader' ? term : 0n;
    const wasLeading = this.#leadsIn !== 0n && this.#leadsIn !== leadsIn;
    this.#leadsIn = leadsIn;
    if (wasLeading) this.#options.events.onDeposed();
  }

  #received(meta: SnapshotMeta | undefined): Step['received'] {
    if (!meta) return undefined;
    const data = this.#arriving?.snapshotData;
    invariant(data, 'a snapshot was accepted that did not arrive');
    return { ...meta, data };
  }

  #apply(entries: readonly LogEntry[]): void {
    const last = entries.at(-1);
    if (!last) return;
    const { replica, events } = this.#options;
    events.onCommitted(last);
    for (const entry of entries) {
      const changesMembers = replica.apply(entry);
      if (changesMembers) {
        this.#core.configChanged(replica.membership.voters);
        this.#tellMembers();
      }
      events.onApplied(entry, changesMembers);
    }
    this.#core.appliedTo(last.index);
  }

  #onDurable(steps: readonly Step[]): void {
    if (this.#isStopped) return;
    this.#guard(() => {
      for (const { effects, received } of steps) {
        this.#core.persisted(effects.sequence);
        if (received) this.#restore(received);
        for (const message of effects.messagesWhenDurable) this.#send(message);
      }
    });
    this.pumpSoon();
  }

  #restore(snapshot: NonNullable<Step['received']>): void {
    const { replica, events, log } = this.#options;
    replica.restore(snapshot);
    const { index, data } = snapshot;
    log.info({ index: `${index}`, bytes: data.length }, "caught up by the leader's snapshot");
    this.#core.appliedTo(snapshot.index);
    this.#core.setSnapshot(snapshot);
    this.#tellMembers();
    events.onRestored(snapshot);
  }

  /** A joiner that has not applied its own entry yet knows the others from the answer it got. */
  get #others(): readonly Member[] {
    const { replica, raftId, joined } = this.#options;
    const { membership } = replica;
    const known = new Map<bigint, Member>();
    if (!membership.member(raftId)) for (const member of joined) known.set(member.raftId, member);
    const { member: announced } = this.#announced;
    if (announced) known.set(announced.raftId, announced);
    for (const member of membership.members) known.set(member.raftId, member);
    known.delete(raftId);
    for (const removed of membership.removed) known.delete(removed);
    return [...known.values()];
  }

  #tellMembers(): void {
    const others = this.#others;
    this.#peers = new Map(others.map((member) => [member.raftId, member]));
    this.#options.transport.setMembers(others);
  }

  #send(message: Message): void {
    const to = this.#peers.get(message.to) ?? this.#stranger(message.to);
    if (message.type === MessageType.MsgSnap) void this.#sendSnapshot(message, to);
    else if (to) this.#options.transport.send(to, { message, snapshotData: undefined });
  }

  #stranger(raftId: bigint): Member | undefined {
    const { membership } = this.#options.replica;
    return membership.hasRemoved(raftId) ? undefined : this.#strangers.find(raftId);
  }

  /** The newest there is, read only now, with those that vote at present. */
  async #sendSnapshot(message: Message, to: Member | undefined): Promise<void> {
    const { state, transport, log } = this.#options;
    try {
      const newest = to && (await state.snapshots.newest({ index: 1n, term: 0n }));
      if (to && newest && !this.#isStopped) {
        const { index, term, data } = newest;
        const snapshot = { index, term, voters: message.snapshot?.voters ?? newest.voters };
        transport.send(to, { message: { ...message, snapshot }, snapshotData: data });
        return;
      }
    } catch (error) {
      log.error({ error: String(error) }, 'a snapshot for another manager cannot be read');
    }
    this.with((core) => core.reportSnapshot(message.to, false));
  }

  #tickLater(): void {
    if (this.#isStopped) return;
    this.#cancelTick = this.#options.clock.after(this.#options.tickMs, () => {
      this.#tickLater();
      if (!this.#isRenewing) this.#guard(() => this.#core.tick());
      this.pump();
    });
  }

  /**
   * No space: what was not written is forgotten, as in a restart. A leader of others thereby leads
   * no more.
   */
  async #renew(error: NoSpaceError): Promise<void> {
    const { events, clock } = this.#options;
    const nowMs = clock.monotonic();
    const isRepeated = nowMs - (this.#noSpaceAtMs ?? -SPACE_RETRY_MS) < SPACE_RETRY_MS;
    this.#noSpaceAtMs = nowMs;
    this.#isRenewing = true;
    this.#leadsIn = 0n;
    events.onNoSpace(error);
    try {
      const initial = await initialState(this.#options);
      this.#core = makeCore(this.#options, initial);
      this.#announced.note(initial.entries);
    } catch (failure) {
      return this.#fail(failure);
    }
    this.#isRenewing = false;
    // Not at once when there is not even space for that: the election timeout comes back to it.
    if (!isRepeated) this.#guard(() => this.#campaignIfAlone());
    this.pump();
  }

  #campaignIfAlone(): void {
    const { voters } = this.#core.status;
    if (voters.size === 1 && voters.has(this.#options.raftId)) this.#core.campaign(false);
  }

  #guard(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.stop();
    this.#options.events.onFailed(error);
  }
}

function initialState({ state, replica, raftId }: EngineOptions): Promise<CoreState> {
  return coreState(state, replica, raftId);
}

function makeCore(
  { state, replica, settings, random }: EngineOptions,
  initial: CoreState,
): RaftCore {
  const core = new RaftCore(settings, initial, random);
  const newest = state.snapshots.positions.at(-1);
  if (newest) core.setSnapshot({ ...newest, voters: replica.membership.voters });
  return core;
}
