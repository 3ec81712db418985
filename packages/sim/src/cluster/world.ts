import { formatUnlockKey } from '@skep/ca';
import type { SwarmFlaws } from '@skep/manager';
import type { Manager } from '@skep/member';
import { type Random, SimPowerCutError } from '@skep/platform';
import { SimNetwork } from '@skep/rpc';
import type { TaskObject } from '@skep/wire';
import { PlaceChecker } from '../checkers/index.js';
import {
  Draw,
  MachineClock,
  must,
  Repairs,
  streamOf,
  Timeline,
  type Trace,
  ViolationError,
} from '../engine/index.js';
import { Cuts } from './cuts.js';
import { ClusterInvariants } from './invariants.js';
import { type ClusterLife, ClusterMachine, throwIfBroken } from './machine.js';
import type { ClusterScenario } from './scenario.js';
import { fateOf } from './services/index.js';

/** How long a program that ended by itself stays down, ms, at least; its supervisor starts it again. */
const RESTART_MS = 500;
const PERFECT_DELAY = { minMs: 0.2, maxMs: 1 };
const FIRST_IP = 11;
const UNLOCK_AFTER_MS = 300;
const LOOK_EVERY_MS = 100;

/** Machines, the network between them, and what is known of them from outside. */
export class ClusterWorld {
  readonly timeline = new Timeline();
  readonly machines: ClusterMachine[] = [];
  readonly network: SimNetwork;
  readonly cuts: Cuts;
  readonly invariants: ClusterInvariants;
  readonly scenario: ClusterScenario;
  /** Ids of nodes that left for good. */
  readonly departed = new Set<string>();
  /** A manager has lost its log; one in a run is what a swarm bears. */
  hasLostLog = false;
  /** Requests under way, of users and of the administrator: what they change may be still to come. */
  changesUnderWay = 0;
  readonly #places = new PlaceChecker();
  readonly #trace: Trace;
  readonly #random: Random;
  readonly #fates: Draw;
  #isMended = false;
  readonly repairs = new Repairs(this.timeline);
  readonly #managers = new Map<ClusterMachine, Manager>();
  #violation: ViolationError | undefined;

  readonly #flaws: SwarmFlaws;

  constructor(scenario: ClusterScenario, trace: Trace, flaws: SwarmFlaws = new Set()) {
    this.scenario = scenario;
    this.#flaws = flaws;
    this.#trace = trace;
    this.#random = streamOf(scenario.seed, 'world');
    this.#fates = new Draw(streamOf(scenario.seed, 'fates'));
    this.network = new SimNetwork({
      clock: new MachineClock({ timeline: this.timeline }),
      random: streamOf(scenario.seed, 'network'),
    });
    this.network.setDelay(scenario.delay);
    this.cuts = new Cuts(this.network);
    this.invariants = new ClusterInvariants((who, what) => this.note(who, what));
    this.timeline.observe(() => {
      if (this.#violation) throw this.#violation;
    });
  }

  note(who: string, what: string): void {
    this.#trace.note(this.timeline.nowMs, who, what);
  }

  /** Waits for a promise of the world's own; when it fails, the run does. */
  async watch<T>(promise: Promise<T>): Promise<T | undefined> {
    try {
      return await promise;
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** Ends the run. */
  fail(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#violation ??= error instanceof ViolationError ? error : new ViolationError('crash', text);
  }

  /** Runs what may throw a violation inside code under test, which might swallow it. */
  #check(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Machines that are to be there in the end. */
  get wanted(): readonly ClusterMachine[] {
    return this.machines.filter(({ isRetired }) => !isRetired);
  }

  /** Managers at work, whether they lead or not. */
  get managers(): readonly Manager[] {
    return this.wanted.flatMap(({ member }) => member?.manager ?? []);
  }

  /** The machine whose manager leads in the highest term. */
  get leader(): ClusterMachine | undefined {
    let best: { machine: ClusterMachine; term: bigint } | undefined;
    for (const machine of this.machines) {
      const manager = machine.member?.manager;
      if (!manager?.rooms) continue;
      const { term } = manager.raftStatus;
      if (!best || term > best.term) best = { machine, term };
    }
    return best?.machine;
  }

  /** A machine more, with nothing on its disk and its program running. */
  addMachine(): ClusterMachine {
    const number = this.machines.length + 1;
    const { seed, drifts } = this.scenario;
    const machine = new ClusterMachine({
      ...{ name: `m${number}`, ip: `10.0.0.${FIRST_IP + number - 1}`, seed },
      ...{ timeline: this.timeline, network: this.network, drift: drifts[number - 1] ?? 0 },
      swarmFlaws: this.#flaws,
      note: (who, what) => this.note(who, what),
      onChange: (changed) => this.#follow(changed),
      onStarted: (where, task) => this.#onStarted(where, task),
      onExit: (ended, error) => this.#onExit(ended, error),
    });
    this.machines.push(machine);
    machine.start();
    return machine;
  }

  /** Looks into each new manager's store, and at who leads. */
  #follow(machine: ClusterMachine): void {
    if (machine.life?.membership.state === 'locked') this.#unlockLater(machine);
    const manager = machine.member?.manager;
    if (!manager) {
      this.#managers.delete(machine);
      return;
    }
    if (this.#managers.get(machine) === manager) return;
    this.#managers.set(machine, manager);
    this.note(machine.name, 'has a manager');
    const feed = this.invariants.follow(machine.name, manager);
    manager.store.subscribe((commit) => this.#check(() => feed.commit(commit)));
    manager.onChange(() => this.#check(() => feed.look()));
    this.#check(() => feed.look());
  }

  /** Somebody comes and types in the unlock keys there have been, the newest first. */
  #unlockLater(machine: ClusterMachine): void {
    const { life } = machine;
    if (!life || life.isBeingUnlocked) return;
    life.isBeingUnlocked = true;
    this.timeline.after(UNLOCK_AFTER_MS, () => {
      if (machine.life !== life) return;
      life.clock.whenAwake(() => void this.watch(this.#unlock(machine, life)));
    });
  }

  async #unlock({ name }: ClusterMachine, { membership }: ClusterLife): Promise<void> {
    for (const key of this.invariants.unlockKeys.toReversed()) {
      if (membership.state !== 'locked') return;
      if (await membership.unlock(formatUnlockKey(key))) this.note(name, 'is unlocked');
    }
    if (membership.state === 'locked') {
      throw new ViolationError('unlock', `${name} cannot be unlocked by any key there was`);
    }
  }

  #onStarted(machine: ClusterMachine, task: TaskObject): void {
    this.note(machine.name, `runs ${task.id} of ${task.serviceAnnotations.name}.${task.slot}`);
    this.#check(() => this.#places.started(task.id, machine.name));
    const fate = fateOf(task, this.#fates, this.#isMended);
    if (fate) this.timeline.after(fate.afterMs, () => this.exit(machine, task.id, fate.exitCode));
  }

  /** A container ends by itself, unless it has ended already. */
  exit({ containers }: ClusterMachine, taskId: string, exitCode: number): void {
    if (containers.find(taskId)?.state !== 'running') return;
    if (exitCode === 0) this.invariants.endedWell.add(taskId);
    containers.exit(taskId, exitCode);
  }

  /** Runs until nothing is wrong, by the words of `wrong`; fails when that takes too long. */
  async until(what: string, withinMs: number, wrong: () => string | undefined): Promise<void> {
    const endMs = this.timeline.nowMs + withinMs;
    for (let found = wrong(); found !== undefined; found = wrong()) {
      if (this.timeline.nowMs >= endMs) {
        throw new ViolationError('liveness', `not within ${withinMs} ms: ${what}: ${found}`);
      }
      await this.timeline.run(this.timeline.nowMs + LOOK_EVERY_MS);
    }
  }

  startLater(machine: ClusterMachine, afterMs: number): void {
    this.repairs.after(afterMs, () => machine.start());
  }

  /** The end of all faults: from here on everything must come right by itself. */
  mendAll(): void {
    this.note('world', 'is mended');
    this.#isMended = true;
    this.network.setDelay(PERFECT_DELAY);
    this.network.setLoss(0);
    this.repairs.all();
    for (const machine of this.machines) {
      machine.disk.cutPowerAt(Number.POSITIVE_INFINITY);
      machine.disk.clearFaults();
      machine.start();
    }
  }

  /** A program ended by itself: judged, and started again as a supervisor would. */
  #onExit(machine: ClusterMachine, error: unknown): void {
    this.#check(() => throwIfBroken(machine.name, error));
    this.#check(() =>
      must(error instanceof SimPowerCutError, 'no-exit', () => `${machine.name} ended: ${error}`),
    );
    this.startLater(machine, RESTART_MS * (1 + this.#random.float()));
  }
}
