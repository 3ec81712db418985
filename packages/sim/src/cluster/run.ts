import type { SwarmFlaws } from '@skep/manager';
import { checkEqualStores } from '../checkers/index.js';
import { Draw, streamOf, type Trace } from '../engine/index.js';
import { removeDeparted } from './administrator.js';
import { strike } from './faults/index.js';
import { addNode, foundSwarm } from './formation.js';
import type { ClusterScenario } from './scenario.js';
import { textsOfConfigs, wishOf } from './services/index.js';
import { User } from './user.js';
import { notWell } from './well.js';
import { ClusterWorld } from './world.js';

/** Simulated time in which all must be well once nothing goes wrong any more, ms. */
const RECOVER_WITHIN_MS = 120_000;
/** How long all must stay well, ms. */
const QUIET_MS = 3_000;
const LAST_WRITE_MS = 500;
/** Time between the last fault and the end of the world's mending, for the last answers, ms. */
const LAST_ANSWERS_MS = 200;

export interface ClusterRunOptions {
  scenario: ClusterScenario;
  trace: Trace;
  flaws?: SwarmFlaws;
}

/** A run of one scenario, from the founding of a swarm to the last comparison. Throws a violation. */
export class ClusterRun {
  readonly #scenario: ClusterScenario;
  readonly #world: ClusterWorld;
  readonly #users: User[] = [];

  constructor({ flaws, scenario, trace }: ClusterRunOptions) {
    this.#scenario = scenario;
    this.#world = new ClusterWorld(scenario, trace, flaws);
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
    await world.until('somebody leads', RECOVER_WITHIN_MS, () => {
      return world.leader ? undefined : 'nobody';
    });
    for (const nodeId of world.departed) void world.watch(removeDeparted(world, nodeId));
    await world.until('all is well', RECOVER_WITHIN_MS, () => notWell(world));
    await this.#quiet();
    this.#judge();
  }

  async #form(): Promise<void> {
    const { managers, workers } = this.#scenario;
    await foundSwarm(this.#world);
    for (let count = 1; count < managers + workers; count++) {
      await addNode(this.#world, count < managers ? 'manager' : 'worker');
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

  /** What is well stays so, but for a write that not everyone knows to be committed yet. */
  async #quiet(): Promise<void> {
    const world = this.#world;
    await world.timeline.run(world.timeline.nowMs + QUIET_MS);
    await world.until('all stays well', LAST_WRITE_MS, () => notWell(world));
  }

  #judge(): void {
    const { managers, wanted } = this.#world;
    const stores = wanted.flatMap(({ member, name }) => {
      const parts = member?.manager?.store.snapshot();
      return parts ? [[name, Buffer.concat([...parts])] as const] : [];
    });
    checkEqualStores(new Map(stores));
    const view = managers[0]?.view;
    if (!view) return;
    const found = textsOfConfigs(view);
    for (const { spec } of view.all('service')) {
      found.set(spec.annotations.name, wishOf(spec).text);
    }
    for (const user of this.#users) user.wishes.check(found);
  }
}
