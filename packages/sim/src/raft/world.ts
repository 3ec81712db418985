import { errorMessage, type Random, SimPowerCutError } from '@skep/platform';
import type {
  Envelope,
  Flaws,
  JoinAnswer,
  PeerTransport,
  RaftMember,
  RaftNodeOptions,
} from '@skep/raft';
import { History } from '../checkers/index.js';
import {
  type MachineClock,
  Repairs,
  streamOf,
  Timeline,
  type Trace,
  ViolationError,
} from '../engine/index.js';
import { Links } from '../net/index.js';
import { RESTART_MS } from './faults/strike.js';
import { RaftInvariants, throwIfBroken } from './invariants.js';
import { isDamage, type Life, RaftMachine } from './machine.js';
import { SimPeers } from './peers.js';
import type { RaftScenario } from './scenario.js';

const JOIN_RETRY_MS = 300;
const JOIN_TRIES_MAX = 100;
const PERFECT_LINKS = {
  delayMs: [0.2, 1] as const,
  lateProbability: 0,
  lossProbability: 0,
  duplicateProbability: 0,
};

export interface RaftWorldOptions {
  scenario: RaftScenario;
  trace: Trace;
  flaws: Flaws;
  makeNode(options: RaftNodeOptions): RaftMember;
}

/** Machines, the network between them, and what is known of them from outside. */
export class RaftWorld {
  readonly timeline = new Timeline();
  readonly history = new History();
  readonly invariants = new RaftInvariants();
  readonly machines: RaftMachine[] = [];
  readonly links: Links;
  /** No change of membership is under way whose outcome is unknown. */
  mayChangeMembers = true;
  /** Changes asked of a leader and not answered yet. */
  changesUnderWay = 0;
  readonly #options: RaftWorldOptions;
  readonly #random: Random;
  readonly repairs = new Repairs(this.timeline);
  #violation: ViolationError | undefined;

  constructor(options: RaftWorldOptions) {
    this.#options = options;
    const { seed, links } = options.scenario;
    this.#random = streamOf(seed, 'world');
    const random = streamOf(seed, 'network');
    this.links = new Links({ timeline: this.timeline, random, quality: links });
    this.timeline.observe(() => this.#look());
  }

  note(who: string, what: string): void {
    this.#options.trace.note(this.timeline.nowMs, who, what);
  }

  /** Ends the run with a broken promise. */
  violate(rule: string, message: string): void {
    this.#violation ??= new ViolationError(rule, message);
  }

  /** Waits for a promise of the world's own; when it fails, the run does. */
  async watch<T>(promise: Promise<T>): Promise<T | undefined> {
    try {
      return await promise;
    } catch (error) {
      this.#fail(error);
      return undefined;
    }
  }

  #fail(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#violation ??= error instanceof ViolationError ? error : new ViolationError('crash', text);
  }

  /** Runs what may throw a violation inside code under test, which might swallow it. */
  #check<T>(fn: () => T): T {
    try {
      return fn();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #look(): void {
    for (const machine of this.machines) machine.look();
    if (this.#violation) throw this.#violation;
  }

  /** Of the machines that count and take part. */
  get lives(): readonly Life[] {
    const counting = this.machines.filter(({ isRetired }) => !isRetired);
    return counting.flatMap(({ life }) => (life?.isStarted ? [life] : []));
  }

  /** Whoever leads in the highest term. */
  get leader(): RaftMachine | undefined {
    let best: { machine: RaftMachine; term: bigint } | undefined;
    for (const machine of this.machines) {
      if (!machine.life?.isLeading) continue;
      const { term } = machine.life.node.status;
      if (!best || term > best.term) best = { machine, term };
    }
    return best?.machine;
  }

  /** A machine has yet to learn that it joined, or may never come back: of the others, no vote may be missing for good. */
  get isShort(): boolean {
    return this.joiningCount > 0 || this.machines.some(({ isDamaged }) => isDamaged);
  }

  get joiningCount(): number {
    return this.machines.filter(({ isRetired, hasJoined }) => !isRetired && !hasJoined).length;
  }

  /** Voters as the leader knows them; 0 while nobody leads. */
  get voterCount(): number {
    return this.leader?.life?.node.status.members.length ?? 0;
  }

  /** Names of all machines, `first` first. */
  namesFrom(first: RaftMachine): string[] {
    const others = this.machines.filter((machine) => machine !== first && !machine.isRetired);
    return [first, ...others].map(({ name }) => name);
  }

  /** A machine more, not started. The very first one founds the cluster, the others join it. */
  addMachine(): RaftMachine {
    const { scenario, flaws, makeNode } = this.#options;
    const number = this.machines.length + 1;
    const { invariants, timeline } = this;
    const name = `m${number}`;
    const machine = new RaftMachine({
      ...{ name, timeline, invariants, flaws, makeNode, settings: scenario.settings },
      random: streamOf(scenario.seed, name),
      drift: scenario.drifts[number - 1] ?? 0,
      firstEntry:
        number === 1 ? { kind: 'found' } : { kind: 'join', join: () => this.#join(machine) },
      makeTransport: (from, clock, events) => this.#peers(from, clock, events),
      note: (who, what) => this.note(who, what),
      check: (fn) => this.#check(fn),
      onExit: (ended, error) => this.#onExit(ended, error),
    });
    this.machines.push(machine);
    return machine;
  }

  #peers(
    machine: RaftMachine,
    clock: MachineClock,
    events: ConstructorParameters<typeof SimPeers>[0]['events'],
  ): PeerTransport {
    return new SimPeers({
      ...{ name: machine.name, clock, links: this.links, events },
      isOrdered: this.#options.scenario.isOrdered,
      machineAt: (address) => address.split(':')[0] ?? address,
      receiverOf: (name) => this.machines.find((other) => other.name === name)?.life,
      onSend: (envelope, to) => this.#onSend(machine, envelope, to),
    });
  }

  #onSend(machine: RaftMachine, envelope: Envelope, to: string): void {
    const { type, term, index, entries } = envelope.message;
    this.note(machine.name, `sends ${type} to ${to}: ${term} ${index} +${entries.length}`);
    this.#check(() => this.invariants.sent(envelope));
  }

  /** A joiner's call to whoever leads, over the network; asked again when it fails. */
  async #join(machine: RaftMachine): Promise<JoinAnswer> {
    const { life } = machine;
    if (!life) throw new Error('a machine that is down joins');
    for (let tries = 0; tries < JOIN_TRIES_MAX; tries++) {
      const answer = await this.#askToJoin(machine, life).catch((error) => {
        throwIfBroken(machine.name, error);
        this.note(machine.name, `cannot join yet: ${errorMessage(error)}`);
      });
      if (answer) return answer;
      await life.clock.sleep(JOIN_RETRY_MS);
    }
    throw new Error('found no way to join');
  }

  #askToJoin(machine: RaftMachine, life: Life): Promise<JoinAnswer> {
    const leader = this.leader;
    const target = leader?.life;
    if (!leader || !target) return Promise.reject(new Error('nobody leads'));
    return new Promise((resolve, reject) => {
      life.clock.after(10_000, () => reject(new Error('no answer')));
      this.links.send(machine.name, leader.name, true, () => {
        target.clock.whenAwake(() => {
          const answer = (fn: () => void) => {
            this.links.send(leader.name, machine.name, true, () => life.clock.whenAwake(fn));
          };
          target.node.addMember(machine.name, machine.address).then(
            (joined) => answer(() => resolve(joined)),
            (error) => answer(() => reject(error)),
          );
        });
      });
    });
  }

  startLater(machine: RaftMachine, afterMs: number): void {
    this.repairs.after(afterMs, () => machine.start());
  }

  /** The end of all faults: from here on everything must come right by itself. */
  mendAll(): void {
    this.note('world', 'is mended');
    this.links.quality = PERFECT_LINKS;
    this.repairs.all();
    for (const machine of this.machines) {
      machine.disk.cutPowerAt(Number.POSITIVE_INFINITY);
      machine.disk.clearFaults();
      machine.start();
    }
  }

  /** A program ended by itself: judged, and started again as a supervisor would. */
  #onExit(machine: RaftMachine, error: unknown): void {
    try {
      throwIfBroken(machine.name, error);
    } catch (broken) {
      this.#fail(broken);
      return;
    }
    const isPowerCut = error instanceof SimPowerCutError;
    if (machine.isDamaged && !isPowerCut) {
      this.note(machine.name, 'is given up');
      machine.isRetired = true;
      return;
    }
    if (isDamage(error)) {
      this.violate('no-damage', `${machine.name} finds damage where none was done: ${error}`);
      return;
    }
    this.startLater(machine, RESTART_MS * (1 + this.#random.float()));
  }
}
