import { SimTables, type SwarmFlaws } from '@skep/manager';
import { Membership } from '@skep/member';
import {
  errorMessage,
  InvariantError,
  type Logger,
  SimDisk,
  SimPowerCutError,
  silentLogger,
} from '@skep/platform';
import type { SimNetwork } from '@skep/rpc';
import type { TaskObject } from '@skep/wire';
import { Draw, MachineClock, streamOf, type Timeline, ViolationError } from '../engine/index.js';
import { Containers } from './containers.js';
import { SimExecutor } from './executor.js';
import { noExternalAuthority } from './external.js';
import { KernelSink } from './kernel-sink.js';

/** One life of a machine's program, from start to end. */
export interface ClusterLife {
  clock: MachineClock;
  membership: Membership;
  /** Resolves at the end of this life. */
  ended: Promise<void>;
  /** It has taken up what there was: only then does it answer its user. */
  isRestored: boolean;
  /** Somebody is about to unlock its keys. */
  isBeingUnlocked: boolean;
  end(): void;
}

/** `kill` ends the program alone; `power` also its containers, and all that its disk had not synced. */
export type Death = 'kill' | 'power';

export interface ClusterMachineOptions {
  name: string;
  /** The IP others reach it at. */
  ip: string;
  seed: number;
  timeline: Timeline;
  network: SimNetwork;
  /** How much faster than the world's its clock goes, in parts of 1. */
  drift: number;
  swarmFlaws: SwarmFlaws;
  note(who: string, what: string): void;
  /** Follows what one life of the machine does; called at each change of its membership. */
  onChange(machine: ClusterMachine): void;
  onStarted(machine: ClusterMachine, task: TaskObject): void;
  /** Its program ended by itself. */
  onExit(machine: ClusterMachine, error: unknown): void;
}

const DIRECTORY = '/swarm';
export const PORT = 2377;
/** How long a disk takes, ms: a read comes from memory. */
const DISK_DELAYS_MS: Readonly<Record<string, readonly [number, number]>> = {
  datasync: [0.2, 3],
  syncDirectory: [0.1, 1],
};

/** A machine with a disk and containers, both of which outlive the program on it. */
export class ClusterMachine {
  readonly name: string;
  readonly ip: string;
  readonly disk = new SimDisk();
  readonly containers = new Containers();
  /** What its kernel has of the networks: it outlives the program, too. */
  readonly tables = new SimTables();
  /** Left for good: nobody starts it again. */
  isRetired = false;
  life: ClusterLife | undefined;
  readonly #options: ClusterMachineOptions;
  readonly #draw: Draw;

  constructor(options: ClusterMachineOptions) {
    this.#options = options;
    this.name = options.name;
    this.ip = options.ip;
    this.#draw = new Draw(streamOf(options.seed, options.name));
  }

  /** `host:port`, as the others know it. */
  get address(): string {
    return `${this.ip}:${PORT}`;
  }

  /** The node on it, while its program runs and takes part. */
  get member() {
    return this.life?.membership.member;
  }

  get nodeId(): string | undefined {
    return this.member?.nodeId;
  }

  /** Starts its program, unless it runs: it takes up the membership of the last run. */
  start(): void {
    if (this.life || this.isRetired) return;
    const { timeline, drift, network, note } = this.#options;
    const clock = new MachineClock({ timeline, drift });
    this.disk.usedBy({
      delay: (operation) => this.#diskDelay(clock, operation),
      onPowerCut: () => {
        this.die('power');
        this.#options.onExit(this, new SimPowerCutError());
      },
    });
    network.powerOn(this.ip);
    const membership = this.#newMembership(clock);
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const life = { clock, membership, ended, end, isRestored: false, isBeingUnlocked: false };
    this.life = life;
    note(this.name, 'starts');
    membership.onChange(() => this.#options.onChange(this));
    membership.restore().then(
      () => {
        life.isRestored = true;
      },
      (error: unknown) => this.#exit(clock, error),
    );
  }

  #newMembership(clock: MachineClock): Membership {
    const { network, onStarted } = this.#options;
    const { random } = this.#draw;
    const onFatal = (error: unknown) => this.#exit(clock, error);
    const host = network.host(this.ip);
    const membership: Membership = new Membership({
      ...{ clock, random, disk: this.disk, log: this.#logger(), onFatal, directory: DIRECTORY },
      executor: new SimExecutor({
        ...{ hostname: this.name, containers: this.containers, clock, draw: this.#draw },
        onStarted: (task) => onStarted(this, task),
        withdraw: async (taskId, signal) => membership.member?.withdraw(taskId, signal),
      }),
      networkTables: new KernelSink({ clock, draw: this.#draw, tables: this.tables }),
      swarmFlaws: this.#options.swarmFlaws,
      doors: (identity) => ({
        dialer: host.dialer({ identity, clock, random }),
        host: host.server({ identity, clock, onFatal }),
        external: noExternalAuthority,
      }),
      isOwnHost: (ip) => ip === this.ip,
    });
    return membership;
  }

  /** What the program says is part of the run. */
  #logger(): Logger {
    const say = (fields: object, message: string) => {
      const { error } = fields as { error?: string };
      this.#options.note(this.name, `says: ${message}${error ? `: ${error}` : ''}`);
    };
    const logger: Logger = {
      ...silentLogger,
      ...{ info: say, warn: say, error: say, child: () => logger },
    };
    return logger;
  }

  /** Ends its program; with its power, all that was not synced is lost, or torn. */
  die(how: Death): void {
    const { network, note } = this.#options;
    if (!this.life) return;
    note(this.name, how === 'power' ? 'loses its power' : 'is killed');
    if (how === 'power') network.powerOff(this.ip);
    else network.kill(this.ip);
    this.#bury();
    if (how === 'power') this.#losePower();
  }

  /** Ends its program as a user would. Resolves when it is down. */
  async stop(): Promise<void> {
    const { life } = this;
    if (!life) return;
    this.#options.note(this.name, 'is stopped');
    await Promise.race([life.membership.stop(), life.ended]);
    if (this.life !== life) return;
    this.#options.network.kill(this.ip);
    this.#bury();
  }

  /** Removes what is on its disk while it is down. */
  async removeFiles(path: string): Promise<void> {
    this.disk.usedBy(undefined);
    await this.disk.remove(path);
    await this.disk.syncDirectory(DIRECTORY);
  }

  #losePower(): void {
    this.disk.cutPower();
    this.disk.crash({ random: this.#draw.random });
    this.containers.losePower();
    this.tables.clear();
  }

  #bury(): void {
    this.life?.clock.kill();
    this.life?.end();
    this.life = undefined;
    this.#options.onChange(this);
  }

  #exit(clock: MachineClock, error: unknown): void {
    if (this.life?.clock !== clock) return;
    this.#options.note(this.name, `ends: ${errorMessage(error)}`);
    this.#options.network.kill(this.ip);
    this.#bury();
    this.#options.onExit(this, error);
  }

  #diskDelay(clock: MachineClock, operation: string): Promise<void> {
    const range = DISK_DELAYS_MS[operation];
    if (!range) return Promise.resolve();
    const [shortest, longest] = range;
    return clock.sleep(shortest + (longest - shortest) * this.#draw.random.float());
  }
}

/** A broken invariant of the code under test is what a run is for; other ends are for the world to mend. */
export function throwIfBroken(machine: string, error: unknown): void {
  if (error instanceof ViolationError) throw error;
  if (!(error instanceof InvariantError)) return;
  throw new ViolationError('invariant', `${machine}: ${error.stack ?? error.message}`);
}
