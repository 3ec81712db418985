import { errorMessage } from '@skep/platform';
import { type Flaws, RaftNode } from '@skep/raft';
import { checkEqualStores, checkLinearizable } from '../checkers/index.js';
import { streamOf, type Trace, ViolationError } from '../engine/index.js';
import type { Run } from '../run/kind.js';
import { Client, checkAppended, KEYS } from './client.js';
import { replace } from './faults/membership.js';
import { strike } from './faults/strike.js';
import { setValue, valueAt } from './objects.js';
import type { RaftScenario } from './scenario.js';
import { RaftWorld } from './world.js';

/** Simulated time in which a cluster must stand, ms. */
const FORM_WITHIN_MS = 60_000;
/** Simulated time in which all must be well once nothing goes wrong any more, ms. */
const RECOVER_WITHIN_MS = 40_000;
const LOOK_EVERY_MS = 50;
/** Time between the last fault and the end of the world's mending, for the last answers, ms. */
const LAST_ANSWERS_MS = 200;

export interface RaftRunOptions {
  scenario: RaftScenario;
  trace: Trace;
  flaws: Flaws;
}

/** A run of one scenario, from the founding of a cluster to the last comparison. Throws a violation. */
export class RaftRun implements Run {
  readonly #scenario: RaftScenario;
  readonly #world: RaftWorld;
  readonly #clients: Client[] = [];
  readonly #acknowledged = new Map<string, string[]>();

  constructor({ scenario, trace, flaws }: RaftRunOptions) {
    this.#scenario = scenario;
    const makeNode = (options: ConstructorParameters<typeof RaftNode>[0]) => new RaftNode(options);
    this.#world = new RaftWorld({ scenario, trace, flaws, makeNode });
  }

  /** Events that happened. */
  get eventCount(): number {
    return this.#world.timeline.eventCount;
  }

  async run(): Promise<void> {
    const { timeline } = this.#world;
    await this.#form();
    for (const { atMs, fault } of this.#scenario.faults) {
      timeline.after(atMs, () => strike(this.#world, fault));
    }
    this.#startClients();
    await timeline.run(timeline.nowMs + this.#scenario.lengthMs);
    for (const client of this.#clients) client.stop();
    await timeline.run(timeline.nowMs + LAST_ANSWERS_MS);
    this.#world.mendAll();
    await this.#until('all managers agree after faults', RECOVER_WITHIN_MS, () => this.#isWell());
    await this.#replaceDamaged();
    if (this.#scenario.endsInDisaster) await this.#disaster();
    await this.#finalReads();
    this.#judge();
  }

  async #form(): Promise<void> {
    const world = this.#world;
    world.note('world', `has ${this.#scenario.machines} managers`);
    for (let count = 1; count <= this.#scenario.machines; count++) {
      world.addMachine().start();
      const isFormed = () => world.lives.length === count && world.voterCount === count;
      await this.#until(`a cluster of ${count} forms`, FORM_WITHIN_MS, isFormed);
    }
  }

  #startClients(): void {
    const { seed, clients, clientPauseMs } = this.#scenario;
    const { timeline, history, machines } = this.#world;
    for (let number = 1; number <= clients; number++) {
      const name = `c${number}`;
      const client = new Client({
        ...{ name, timeline, history, machines, pauseMsMax: clientPauseMs },
        random: streamOf(seed, name),
        onAppended: (key, element) => this.#appended(key, element),
        note: (who, what) => this.#world.note(who, what),
      });
      this.#clients.push(client);
      void this.#world.watch(client.run());
    }
  }

  #appended(key: string, element: string): void {
    const elements = this.#acknowledged.get(key);
    if (elements) elements.push(element);
    else this.#acknowledged.set(key, [element]);
  }

  async #until(what: string, withinMs: number, isDone: () => boolean): Promise<void> {
    const { timeline } = this.#world;
    const endMs = timeline.nowMs + withinMs;
    while (!isDone()) {
      if (timeline.nowMs >= endMs) {
        throw new ViolationError(
          'liveness',
          `not within ${withinMs} ms: ${what}. ${this.#state()}`,
        );
      }
      await timeline.run(timeline.nowMs + LOOK_EVERY_MS);
    }
  }

  #state(): string {
    const states = this.#world.machines.map(({ name, life, isRetired }) => {
      if (!life) return `${name} ${isRetired ? 'retired' : 'down'}`;
      const { role, term, commitIndex, appliedIndex, members } = life.node.status;
      const place = `${role} in ${term}, ${appliedIndex}/${commitIndex}, ${members.length} members`;
      return `${name} ${life.isStarted ? place : 'starting'}`;
    });
    return states.join('; ');
  }

  /** Everyone who should be there takes part, follows one leader, and has applied what that has. */
  #isWell(): boolean {
    const world = this.#world;
    const leader = world.leader?.life;
    if (!leader || world.changesUnderWay > 0) return false;
    const { members, commitIndex, raftId } = leader.node.status;
    this.#retireRemoved(new Set(members.map((member) => member.nodeId)));
    const wanted = world.machines.filter(({ isRetired }) => !isRetired);
    if (!wanted.every(({ name }) => members.some((member) => member.nodeId === name))) return false;
    return wanted.every(({ life }) => {
      if (!life?.isStarted) return false;
      const { leaderId, appliedIndex } = life.node.status;
      return leaderId === raftId && appliedIndex === commitIndex;
    });
  }

  /** Removed machines may go on for as long as they like, but not count. */
  #retireRemoved(members: ReadonlySet<string>): void {
    for (const machine of this.#world.machines) {
      const { life } = machine;
      if (!life?.isStarted || members.has(machine.name)) continue;
      if (!life.node.status.isRemoved) continue;
      machine.isRetired = true;
      machine.die('kill');
    }
  }

  /** Machines that found their disks damaged were given up; new ones come in their place. */
  async #replaceDamaged(): Promise<void> {
    const world = this.#world;
    for (const { name, isDamaged, isRetired } of [...world.machines]) {
      const members = world.leader?.life?.node.status.members ?? [];
      const raftId = members.find(({ nodeId }) => nodeId === name)?.raftId;
      if (!isDamaged || !isRetired || raftId === undefined) continue;
      void world.watch(replace(world, raftId));
      const isReplaced = () => world.machines.at(-1)?.life?.isStarted === true && this.#isWell();
      await this.#until(`${name} is replaced`, RECOVER_WITHIN_MS, isReplaced);
    }
  }

  /** All but one are lost; that one goes on alone, and new ones join it. */
  async #disaster(): Promise<void> {
    const world = this.#world;
    const survivor = world.machines.find(({ life }) => life?.isStarted);
    if (!survivor) return;
    world.note('world', `loses all but ${survivor.name}`);
    for (const machine of world.machines) {
      machine.die('power');
      machine.isRetired = machine !== survivor;
    }
    survivor.start({ kind: 'force-new-cluster' });
    const isAlone = () => this.#isWell() && world.voterCount === 1;
    await this.#until(`${survivor.name} leads alone`, RECOVER_WITHIN_MS, isAlone);
    world.addMachine().start();
    const isWell = () => world.voterCount === 2 && this.#isWell();
    await this.#until('another joins the survivor', RECOVER_WITHIN_MS, isWell);
  }

  /** A write and reads of everything on every machine, as part of the history. */
  async #finalReads(): Promise<void> {
    const { history, lives } = this.#world;
    let left = 1 + lives.length * KEYS.length;
    void this.#world.watch(this.#finalWrite().then(() => left--));
    for (const { node, store } of lives) {
      for (const key of KEYS) {
        const read = history.call('end', key, { kind: 'read' });
        const done = node.readBarrier().then(() => {
          history.answer(read, valueAt(store.view, key));
          left--;
        });
        void this.#world.watch(done);
      }
    }
    await this.#until('a write and reads at every manager', RECOVER_WITHIN_MS, () => left === 0);
    await this.#until('the write is everywhere', RECOVER_WITHIN_MS, () => this.#isWell());
  }

  /** Tried again where a disk was full a moment ago. */
  async #finalWrite(): Promise<void> {
    const { history, timeline } = this.#world;
    for (;;) {
      const write = history.call('end', 'end', { kind: 'write', value: 'written' });
      const store = this.#world.leader?.life?.store;
      try {
        await store?.update((tx) => setValue(tx, 'end', 'written'));
        history.answer(write);
        return;
      } catch (error) {
        this.#world.note('end', `is refused: ${errorMessage(error)}`);
      }
      await timeline.sleep(LOOK_EVERY_MS);
    }
  }

  #judge(): void {
    const { lives, history } = this.#world;
    checkEqualStores(
      new Map(lives.map(({ name, store }) => [name, Buffer.concat([...store.snapshot()])])),
    );
    for (const { watch, store } of lives) watch.check(store.view);
    for (const { store } of lives) {
      checkAppended(this.#acknowledged, (key) => valueAt(store.view, key));
    }
    const verdict = checkLinearizable(history);
    this.#world.note('history', `${history.operations.length} operations: ${verdict.kind}`);
    if (verdict.kind !== 'not linearizable') return;
    const { client, key, input, output } = verdict.stuckAt;
    const call = `${client} ${JSON.stringify(input)} -> ${JSON.stringify(output)}`;
    throw new ViolationError('linearizability', `no order of the calls of ${key} explains ${call}`);
  }
}
