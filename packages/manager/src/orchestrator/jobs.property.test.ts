import { durationFromMs, type TaskObject } from '@skep/wire';
import {
  NodeSpec_Availability as Availability,
  RestartPolicy_RestartCondition as Condition,
  NodeStatus_State,
  type ServiceSpec,
  TaskState,
} from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDone, isLive, isOfPresentRun } from './slot.js';
import { globalJobSpec, replicatedJobSpec } from './specs.sim.js';
import { SimSwarm } from './swarm.sim.js';

const RUNS = 60;
const NODES = ['n1', 'n2', 'n3'];
/** More than restart delay and stop timeout together, several times over. */
const QUIET_MS = 120_000;
const HISTORY_LIMIT = 2;

const NODE_STATES = ['down', 'ready', 'drain', 'active', 'pause'] as const;

const event = fc.oneof(
  fc.record({
    kind: fc.constant('update' as const),
    total: fc.integer({ min: 0, max: 6 }),
    concurrent: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({
    kind: fc.constant('node' as const),
    node: fc.constantFrom(...NODES),
    to: fc.constantFrom(...NODE_STATES),
  }),
  fc.record({ kind: fc.constant('freeze' as const), node: fc.constantFrom(...NODES) }),
  fc.record({ kind: fc.constant('fail' as const), at: fc.nat(20) }),
  fc.record({ kind: fc.constant('leader' as const) }),
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;
const story = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 40 })), { maxLength: 14 });
const shape = fc.record({
  global: fc.boolean(),
  condition: fc.constantFrom(Condition.ANY, Condition.ON_FAILURE),
});

/** A job's life with what may happen to it. */
class Story {
  readonly swarm = new SimSwarm();
  total = 4;
  concurrent = 2;
  readonly #global: boolean;
  readonly #condition: Condition;

  constructor({ global, condition }: { global: boolean; condition: Condition }) {
    this.#global = global;
    this.#condition = condition;
  }

  async begin(): Promise<void> {
    const { swarm } = this;
    // A third of the tasks goes on for ever while things happen, the others end well.
    swarm.fate = ({ id }) => (id.charCodeAt(0) % 3 === 0 ? TaskState.RUNNING : TaskState.COMPLETE);
    await swarm.addCluster(HISTORY_LIMIT);
    await swarm.addNodes(...NODES);
    swarm.startLoops();
    await swarm.addService('s1', this.#spec());
  }

  #spec(): Partial<ServiceSpec> {
    const { total, concurrent } = this;
    const restart = { condition: this.#condition, delay: durationFromMs(500) };
    return this.#global
      ? globalJobSpec({ restart })
      : replicatedJobSpec({ total, concurrent, restart });
  }

  async apply(happening: Event): Promise<void> {
    const { swarm } = this;
    switch (happening.kind) {
      case 'update':
        ({ total: this.total, concurrent: this.concurrent } = happening);
        return swarm.changeService('s1', this.#spec());
      case 'node':
        return this.#setNode(happening.node, happening.to);
      case 'freeze':
        return void swarm.frozen.add(happening.node);
      case 'leader':
        return swarm.restartLoops();
      case 'fail': {
        const running = swarm.running();
        const task = running[happening.at % Math.max(1, running.length)];
        if (task) await swarm.report(task, TaskState.FAILED);
      }
    }
  }

  #setNode(id: string, to: (typeof NODE_STATES)[number]): Promise<void> {
    const { DRAIN, ACTIVE, PAUSE } = Availability;
    const kinds = { drain: DRAIN, active: ACTIVE, pause: PAUSE };
    const states = { down: NodeStatus_State.DOWN, ready: NodeStatus_State.READY };
    return this.swarm.changeNode(id, ({ spec, status }) =>
      to === 'down' || to === 'ready'
        ? { status: { ...status, state: states[to] } }
        : { spec: { ...spec, availability: kinds[to] } },
    );
  }

  async end(): Promise<void> {
    this.swarm.frozen.clear();
    this.swarm.fate = () => TaskState.COMPLETE;
    for (const id of NODES) {
      await this.#setNode(id, 'ready');
      await this.#setNode(id, 'active');
    }
    await this.swarm.run(QUIET_MS);
  }

  seatOf(task: TaskObject): string {
    return this.#global ? task.nodeId : String(task.slot);
  }

  ofRun(): TaskObject[] {
    return this.swarm.tasks().filter((task) => isOfPresentRun(this.swarm.service(), task));
  }

  /** Wanted and not done: at most as many as are allowed, and one in each seat. */
  expectWithinBounds(): void {
    const wanted = this.ofRun().filter((task) => isLive(task) && !isDone(task));
    const seats = new Set(wanted.map((task) => this.seatOf(task)));
    expect(seats.size).toBe(wanted.length);
    if (!this.#global) expect(wanted.length).toBeLessThanOrEqual(this.concurrent);
    const numbers = this.ofRun()
      .filter(isLive)
      .map(({ slot }) => Number(slot));
    if (!this.#global) expect(Math.max(-1, ...numbers)).toBeLessThan(this.total);
  }

  expectDone(): void {
    const seats = new Set(
      this.ofRun()
        .filter(isDone)
        .map((task) => this.seatOf(task)),
    );
    expect(seats.size).toBe(this.#global ? NODES.length : this.total);
    const unfinished = this.swarm
      .tasks()
      .filter(({ status }) => status.state >= TaskState.ASSIGNED)
      .filter(({ status }) => status.state < TaskState.COMPLETE);
    expect(unfinished.map(({ id }) => id)).toEqual([]);
    const inSeats = new Map<string, number>();
    for (const task of this.swarm.tasks()) {
      const seat = this.seatOf(task);
      inSeats.set(seat, (inSeats.get(seat) ?? 0) + 1);
    }
    expect(Math.max(0, ...inSeats.values())).toBeLessThanOrEqual(HISTORY_LIMIT);
  }
}

describe('whatever happens to a swarm', () => {
  it('a job comes to its end within its bounds, and then stays quiet', async () => {
    await fc.assert(
      fc.asyncProperty(shape, story, async (shaped, happenings) => {
        const told = new Story(shaped);
        await told.begin();
        for (const [happening, steps] of happenings) {
          await told.apply(happening);
          await told.swarm.run(steps * 100, () => told.expectWithinBounds());
        }
        await told.end();
        told.expectDone();
        expect(await told.swarm.entriesOfNewLoops()).toBe(0);
      }),
      { numRuns: RUNS, seed: 7 },
    );
  }, 60_000);
});
