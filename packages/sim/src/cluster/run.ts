import { checkEqualStores } from '../checkers/index.js';
import { Draw, streamOf, type Trace, ViolationError } from '../engine/index.js';
import { removeDeparted } from './administrator.js';
import { strike } from './faults/index.js';
import { joinAs } from './joining.js';
import type { ClusterScenario } from './scenario.js';
import { foundRequest } from './specs.js';
import { User } from './user.js';
import { notWell } from './well.js';
import { ClusterWorld } from './world.js';

/** Simulated time in which a machine must be in the swarm, ms. */
const FORM_WITHIN_MS = 60_000;
/** Simulated time in which all must be well once nothing goes wrong any more, ms. */
const RECOVER_WITHIN_MS = 120_000;
/** How long all must stay well, ms. */
const QUIET_MS = 3_000;
const LOOK_EVERY_MS = 100;
/** Time between the last fault and the end of the world's mending, for the last answers, ms. */
const LAST_ANSWERS_MS = 200;

/** A run of one scenario, from the founding of a swarm to the last comparison. Throws a violation. */
export class ClusterRun {
  readonly #scenario: ClusterScenario;
  readonly #world: ClusterWorld;
  readonly #users: User[] = [];

  constructor({ scenario, trace }: { scenario: ClusterScenario; trace: Trace }) {
    this.#scenario = scenario;
    this.#world = new ClusterWorld(scenario, trace);
  }

  /** Events that happened. */
  get eventCount(): number {
    return this.#world.timeline.eventCount;
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { timeline } = world;
    await this.#form();
    for (const { atMs, fault } of this.#scenario.faults) {
      timeline.after(atMs, () => strike(world, fault));
    }
    this.#startUsers();
    await timeline.run(timeline.nowMs + this.#scenario.lengthMs);
    for (const user of this.#users) user.stop();
    await timeline.run(timeline.nowMs + LAST_ANSWERS_MS);
    world.mendAll();
    await this.#until('somebody leads', RECOVER_WITHIN_MS, () => {
      return world.leader ? undefined : 'nobody';
    });
    for (const nodeId of world.departed) void world.watch(removeDeparted(world, nodeId));
    await this.#until('all is well', RECOVER_WITHIN_MS, () => notWell(world));
    await this.#quiet();
    this.#judge();
  }

  async #form(): Promise<void> {
    const world = this.#world;
    const { managers, workers } = this.#scenario;
    const first = world.addMachine();
    void world.watch(first.life?.membership.found(foundRequest(first.address)) ?? never());
    await this.#until('a swarm is founded', FORM_WITHIN_MS, () => notWell(world));
    for (let count = 1; count < managers + workers; count++) {
      const machine = world.addMachine();
      void world.watch(joinAs(world, machine, count < managers ? 'manager' : 'worker'));
      await this.#until(`${machine.name} joins`, FORM_WITHIN_MS, () => notWell(world));
    }
  }

  #startUsers(): void {
    const { seed, userPauseMs, users } = this.#scenario;
    for (let number = 1; number <= users; number++) {
      const name = `user${number}`;
      const draw = new Draw(streamOf(seed, name));
      const user = new User({ name, world: this.#world, draw, pauseMsMax: userPauseMs });
      this.#users.push(user);
      void this.#world.watch(user.run());
    }
  }

  /** Runs until nothing is wrong, by the words of `wrong`. */
  async #until(what: string, withinMs: number, wrong: () => string | undefined): Promise<void> {
    const { timeline } = this.#world;
    const endMs = timeline.nowMs + withinMs;
    for (let found = wrong(); found !== undefined; found = wrong()) {
      if (timeline.nowMs >= endMs) {
        throw new ViolationError('liveness', `not within ${withinMs} ms: ${what}: ${found}`);
      }
      await timeline.run(timeline.nowMs + LOOK_EVERY_MS);
    }
  }

  /** What is well stays so. */
  async #quiet(): Promise<void> {
    const { timeline } = this.#world;
    await timeline.run(timeline.nowMs + QUIET_MS);
    const found = notWell(this.#world);
    if (found) throw new ViolationError('quiet', `all was well, and then: ${found}`);
  }

  #judge(): void {
    const { managers, wanted } = this.#world;
    const stores = wanted.flatMap(({ member, name }) => {
      return member?.manager ? [[name, member.manager.store.snapshot()] as const] : [];
    });
    checkEqualStores(new Map(stores));
    for (const user of this.#users) user.wishes.check(managers[0]?.view.all('service') ?? []);
  }
}

function never(): Promise<void> {
  return Promise.reject(new Error('a new machine has a life'));
}
