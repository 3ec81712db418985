import { errorMessage, type Random, SimDisk, SimPowerCutError, silentLogger } from '@skep/platform';
import {
  type Entry,
  type Envelope,
  type Flaws,
  LogCorruptError,
  type PeerEvents,
  type PeerTransport,
  type RaftMember,
  type RaftNodeOptions,
  type RaftSettings,
} from '@skep/raft';
import { Store } from '@skep/store';
import { ApplyOrder, WatchChecker } from '../checkers/index.js';
import { Draw, MachineClock, type Timeline } from '../engine/index.js';
import { type Progress, type RaftInvariants, throwIfBroken } from './invariants.js';
import type { Receiver } from './peers.js';

/** One life of a machine's program, from start to end. */
export interface Life extends Receiver {
  node: RaftMember;
  store: Store;
  watch: WatchChecker;
  progress: Progress;
  /** Takes part: its start has resolved. */
  isStarted: boolean;
  isLeading: boolean;
  /** Resolves at the end of this life. */
  ended: Promise<void>;
  end(): void;
}

/** `kill` ends the program alone, `power` also loses what its disk had not synced. */
export type Death = 'kill' | 'power';

export interface RaftMachineOptions {
  name: string;
  timeline: Timeline;
  random: Random;
  invariants: RaftInvariants;
  settings: RaftSettings;
  drift: number;
  flaws: Flaws;
  makeNode(options: RaftNodeOptions): RaftMember;
  makeTransport(machine: RaftMachine, clock: MachineClock, events: PeerEvents): PeerTransport;
  /** How this machine comes to its cluster when it has no log yet. */
  firstEntry: Entry;
  note(who: string, what: string): void;
  /** Runs a check, and lets the world know when it finds something. */
  check<T>(fn: () => T): T;
  /** Its program ended by itself. */
  onExit(machine: RaftMachine, error: unknown): void;
}

const DIRECTORY = '/raft';
/** How long a disk takes, ms: a read comes from memory. */
const DISK_DELAYS_MS: Readonly<Record<string, readonly [number, number]>> = {
  datasync: [0.2, 3],
  syncDirectory: [0.1, 1],
};

/** A machine with a disk that outlives the program on it. */
export class RaftMachine {
  readonly name: string;
  readonly disk = new SimDisk();
  /** Ms that every sync takes longer. */
  slowerByMs = 0;
  /** Damage was done to its disk, which it may find at any start. */
  isDamaged = false;
  /** Errors were laid on its disk since it started last: it may stop. */
  hasDiskFaults = false;
  /** Left for good: nobody starts it again. */
  isRetired = false;
  life: Life | undefined;
  /** Has a log that says who it is. */
  hasJoined = false;
  readonly #options: RaftMachineOptions;
  readonly #draw: Draw;

  constructor(options: RaftMachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.#draw = new Draw(options.random);
  }

  /** `host:port`, as the others know it. */
  get address(): string {
    return `${this.name}:2377`;
  }

  get isUp(): boolean {
    return this.life !== undefined;
  }

  /** Starts its program, unless it runs. `entry` is for what is not a usual start. */
  start(entry?: Entry): void {
    if (this.life || this.isRetired) return;
    const { timeline, random, drift, note } = this.#options;
    const clock = new MachineClock({ timeline, drift });
    this.disk.usedBy({
      delay: (operation) => this.#diskDelay(clock, operation),
      onPowerCut: () => {
        this.die('power');
        this.#options.onExit(this, new SimPowerCutError());
      },
    });
    const storeOptions = { clock, random, log: silentLogger };
    const store = new Store(storeOptions);
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const node = this.#makeNode(clock);
    const life: Life = {
      ...{ name: this.name, clock, node, store, watch: new WatchChecker(this.name) },
      ...{ progress: { applied: 0n }, isStarted: false, isLeading: false },
      ...{ ended, end, receive: (envelope: Envelope) => node.receive(envelope) },
      addressOf: (raftId) => node.status.members.find((one) => one.raftId === raftId)?.address,
    };
    this.life = life;
    store.subscribe((commit) => this.#options.check(() => life.watch.commit(commit)));
    note(this.name, 'starts');
    this.#run(life, entry ?? (this.hasJoined ? { kind: 'resume' } : this.#options.firstEntry));
  }

  #makeNode(clock: MachineClock): RaftMember {
    const { random, settings, flaws, makeNode, makeTransport } = this.#options;
    return makeNode({
      ...{ disk: this.disk, directory: DIRECTORY, random, clock, log: silentLogger, settings },
      ...{ nodeId: this.name, address: this.address, flaws },
      transport: (events) => makeTransport(this, clock, events),
      onFatal: (error) => this.#exit(clock, error),
    });
  }

  #run(life: Life, entry: Entry): void {
    const { note, invariants, check } = this.#options;
    life.node.onLeadership((leads) => {
      life.isLeading = leads;
      life.store.attach(leads ? life.node : undefined);
      note(this.name, leads ? `leads in term ${life.node.status.term}` : 'leads no more');
    });
    const order = new ApplyOrder(this.name);
    const machine = {
      apply: (index: bigint, data: Uint8Array) => {
        check(() => order.applied(index));
        check(() => invariants.applied(this.name, index, data));
        life.store.apply(index, data);
      },
      abort: (reason: Error) => life.store.abort(reason),
      snapshot: () => life.store.snapshot(),
      restore: (data: Uint8Array) => life.store.restore(data),
    };
    life.node.start(machine, entry).then(
      () => {
        if (this.life !== life) return;
        life.isStarted = true;
        this.hasJoined = true;
        note(this.name, 'takes part');
      },
      (error) => this.#exit(life.clock, error),
    );
  }

  /** Looks at this machine after something happened to it. */
  look(): void {
    const { life } = this;
    if (!life?.isStarted || !life.clock.takeActivity()) return;
    this.#options.invariants.look(this.name, life.node.status, life.progress);
  }

  /** Ends its program; with its power, all that was not synced is lost, or torn. */
  die(how: Death): void {
    const { life } = this;
    if (!life) return;
    this.#options.note(this.name, how === 'power' ? 'loses its power' : 'is killed');
    this.#bury(life);
    if (how === 'power') this.losePower();
  }

  /** Ends its program as a user would. Resolves when it is down, however that went. */
  async stop(): Promise<void> {
    const { life } = this;
    if (!life) return;
    this.#options.note(this.name, 'is stopped');
    life.isStarted = false;
    await Promise.race([life.node.stop(), life.ended]).catch((error) => {
      throwIfBroken(this.name, error);
    });
    if (this.life === life) this.#bury(life);
  }

  losePower(): void {
    this.disk.cutPower();
    this.disk.crash({ random: this.#draw.random });
    this.hasDiskFaults = false;
  }

  /** An empty disk, as a new machine has. */
  async wipe(): Promise<void> {
    this.disk.crash();
    this.disk.usedBy(undefined);
    await this.disk.remove(DIRECTORY);
    await this.disk.syncDirectory('/');
    this.hasJoined = false;
    this.isDamaged = false;
  }

  #bury(life: Life): void {
    life.clock.kill();
    life.end();
    this.life = undefined;
  }

  #exit(clock: MachineClock, error: unknown): void {
    const { life } = this;
    if (!life || life.clock !== clock) return;
    this.#options.note(this.name, `ends: ${errorMessage(error)}`);
    this.#bury(life);
    this.#options.onExit(this, error);
  }

  #diskDelay(clock: MachineClock, operation: string): Promise<void> {
    const range = DISK_DELAYS_MS[operation];
    if (!range) return Promise.resolve();
    const [shortest, longest] = range;
    const delayMs = shortest + (longest - shortest) * this.#draw.random.float();
    return clock.sleep(delayMs + this.slowerByMs);
  }
}

/** Whether a program that found this on its disk must not be started on it again. */
export function isDamage(error: unknown): boolean {
  if (error instanceof LogCorruptError) return true;
  return error instanceof Error && error.cause !== undefined && isDamage(error.cause);
}
