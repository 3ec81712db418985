import { durationFromMs, type TaskObject } from '@skep/wire';
import {
  NodeSpec_Availability as Availability,
  UpdateConfig_FailureAction as FailureAction,
  NodeStatus_State,
  type ServiceSpec,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTaskDirty } from './dirty.js';
import { isLeaving } from './leaving.js';
import { isLive } from './slot.js';
import { globalSpec, replicatedSpec } from './specs.sim.js';
import { SimSwarm } from './swarm.sim.js';

/** Runs of each property: they simulate minutes of a swarm's life each. */
const RUNS = 40;
const NODES = ['n1', 'n2', 'n3'];
/** More than restart delay, stop timeout and monitoring together, several times over. */
const QUIET_MS = 200_000;

type Event =
  | { kind: 'scale'; replicas: number }
  | { kind: 'image'; image: string }
  | { kind: 'node'; node: string; to: 'down' | 'ready' | 'drain' | 'active' | 'pause' }
  | { kind: 'freeze'; node: string }
  | { kind: 'fail'; at: number }
  | { kind: 'leader' };

const node = fc.constantFrom(...NODES);
const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('scale' as const), replicas: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ kind: fc.constant('image' as const), image: fc.constantFrom('web:1', 'web:2') }),
  fc.record({
    kind: fc.constant('node' as const),
    node,
    to: fc.constantFrom('down', 'ready', 'drain', 'active', 'pause'),
  }),
  fc.record({ kind: fc.constant('freeze' as const), node }),
  fc.record({ kind: fc.constant('fail' as const), at: fc.nat(20) }),
  fc.record({ kind: fc.constant('leader' as const) }),
);
const story = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 80 })), { maxLength: 14 });

interface Shape {
  mode: 'replicated' | 'global';
  order: UpdateOrder;
  parallelism: number;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  mode: fc.constantFrom('replicated', 'global'),
  order: fc.constantFrom(UpdateOrder.STOP_FIRST, UpdateOrder.START_FIRST),
  parallelism: fc.integer({ min: 0, max: 3 }),
});

class Story {
  readonly swarm = new SimSwarm();
  replicas = 3;
  #image = 'web:1';
  readonly #shape: Shape;

  constructor(shaped: Shape) {
    this.#shape = shaped;
  }

  async begin(): Promise<void> {
    await this.swarm.addCluster(2);
    await this.swarm.addNodes(...NODES);
    this.swarm.startLoops();
    await this.swarm.addService('s1', this.#spec());
  }

  #spec(): Partial<ServiceSpec> {
    const { mode, order, parallelism } = this.#shape;
    const failureAction = FailureAction.CONTINUE;
    const update = { order, failureAction, parallelism: BigInt(parallelism) };
    const restart = { condition: 2, delay: durationFromMs(1_000) };
    const options = { image: this.#image, update, restart };
    return mode === 'global'
      ? globalSpec(options)
      : replicatedSpec({ ...options, replicas: this.replicas });
  }

  async apply(happening: Event): Promise<void> {
    switch (happening.kind) {
      case 'scale':
        this.replicas = happening.replicas;
        return this.swarm.changeService('s1', this.#spec());
      case 'image':
        this.#image = happening.image;
        return this.swarm.changeService('s1', this.#spec());
      case 'node':
        return this.#setNode(happening.node, happening.to);
      case 'freeze':
        return void this.swarm.frozen.add(happening.node);
      case 'leader':
        return this.swarm.restartLoops();
      case 'fail': {
        const running = this.swarm.running();
        const task = running[happening.at % Math.max(1, running.length)];
        if (task) await this.swarm.report(task, TaskState.FAILED);
      }
    }
  }

  #setNode(id: string, to: 'down' | 'ready' | 'drain' | 'active' | 'pause'): Promise<void> {
    const states = { down: NodeStatus_State.DOWN, ready: NodeStatus_State.READY };
    const kinds = {
      drain: Availability.DRAIN,
      active: Availability.ACTIVE,
      pause: Availability.PAUSE,
    };
    return this.swarm.changeNode(id, ({ spec, status }) =>
      to === 'down' || to === 'ready'
        ? { status: { ...status, state: states[to] } }
        : { spec: { ...spec, availability: kinds[to] } },
    );
  }

  /** All nodes are well again and everything gets the time it needs. */
  async end(): Promise<void> {
    this.swarm.frozen.clear();
    for (const id of NODES) {
      await this.#setNode(id, 'ready');
      await this.#setNode(id, 'active');
    }
    await this.swarm.run(QUIET_MS);
  }

  expectConverged(): void {
    const { swarm } = this;
    const seats = this.#shape.mode === 'global' ? NODES.length : this.replicas;
    expect(swarm.running().length).toBe(seats);
    expect(swarm.tasks().filter(isLive).length).toBe(seats);
    expect(new Set(swarm.running().map(seat)).size).toBe(seats);
    const dirty = swarm
      .running()
      .filter((task) => isTaskDirty(swarm.store.view, swarm.service(), task));
    expect(dirty.map(({ id }) => id)).toEqual([]);
    expect(mostInOneSeat(swarm.tasks())).toBeLessThanOrEqual(2);
  }
}

function seat(task: TaskObject): string {
  return task.slot === 0n ? task.nodeId : String(task.slot);
}

function mostInOneSeat(tasks: readonly TaskObject[]): number {
  const counts = new Map<string, number>();
  for (const task of tasks) counts.set(seat(task), (counts.get(seat(task)) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

describe('whatever happens to a swarm', () => {
  it('a service ends with what was asked for, and then stays quiet', async () => {
    await fc.assert(
      fc.asyncProperty(shape, story, async (shaped, happenings) => {
        const told = new Story(shaped);
        await told.begin();
        for (const [happening, steps] of happenings) {
          await told.apply(happening);
          await told.swarm.run(steps * 100);
        }
        await told.end();
        told.expectConverged();
        expect(await told.swarm.entriesOfNewLoops()).toBe(0);
      }),
      { numRuns: RUNS, seed: 2 },
    );
  }, 60_000);

  it('no slot is ever asked for two running tasks that stay, unless an update starts first', async () => {
    await fc.assert(
      fc.asyncProperty(shape, story, async (shaped, happenings) => {
        const told = new Story({ ...shaped, order: UpdateOrder.STOP_FIRST });
        await told.begin();
        const check = () => {
          const { swarm } = told;
          const wanted = swarm
            .tasks()
            .filter((task) => task.desiredState === TaskState.RUNNING)
            .filter((task) => !isLeaving(swarm.store.view, swarm.service(), task));
          expect(mostInOneSeat(wanted)).toBeLessThanOrEqual(1);
        };
        for (const [happening, steps] of happenings) {
          await told.apply(happening);
          check();
          await told.swarm.run(steps * 100, check);
        }
      }),
      { numRuns: RUNS, seed: 3 },
    );
  }, 60_000);

  it('loops that are replaced at every moment come to the same end', async () => {
    await fc.assert(
      fc.asyncProperty(shape, story, async (shaped, happenings) => {
        const told = new Story(shaped);
        await told.begin();
        for (const [happening, steps] of happenings) {
          await told.apply(happening);
          for (let step = 0; step < steps; step++) {
            await told.swarm.restartLoops();
            await told.swarm.run(100);
          }
        }
        await told.end();
        told.expectConverged();
      }),
      { numRuns: RUNS, seed: 4 },
    );
  }, 60_000);
});
