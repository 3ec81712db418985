import { durationFromMs, type TaskObject } from '@skep/wire';
import {
  UpdateConfig_FailureAction as FailureAction,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLive } from '../orchestrator/slot.js';
import { replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';
import { planUpdate } from './plan.js';
import { SlotReader, type SlotsOfUpdate } from './slots.js';

/** Runs of each property: each simulates minutes of a service's life. */
const RUNS = 40;
const STEP_MS = 100;
/** More than the slowest start of all replicas one after the other, delays and monitoring. */
const QUIET_MS = 25_000;
/** Steps that a task takes to start at most. */
const SLOW_STEPS_MAX = 8;

interface Shape {
  replicas: number;
  parallelism: number;
  order: UpdateOrder;
  delayMs: number;
}

const shape: fc.Arbitrary<Shape> = fc.record({
  replicas: fc.integer({ min: 1, max: 9 }),
  parallelism: fc.integer({ min: 0, max: 4 }),
  order: fc.constantFrom(UpdateOrder.STOP_FIRST, UpdateOrder.START_FIRST),
  delayMs: fc.constantFrom(0, 0, 700),
});

/** An update that is changed, and survives leaders, while it is under way. */
const deeds = fc.array(
  fc.record({
    deed: fc.constantFrom('image', 'image', 'leader', 'back'),
    steps: fc.integer({ min: 0, max: 25 }),
  }),
  { minLength: 1, maxLength: 8 },
);

function imageOf({ spec }: TaskObject): string {
  return spec.runtime.case === 'container' ? spec.runtime.value.image : '';
}

function runs({ status }: TaskObject): boolean {
  return status.state === TaskState.RUNNING;
}

/** All that a look at the slots tells, in an order of its own. */
function told({ board }: SlotsOfUpdate) {
  const { starting, settled, ended, crowded, size } = board;
  const dirty = board.nextDirty(Number.POSITIVE_INFINITY);
  const sets = [starting, settled, ended, crowded].map((set) => new Set(set));
  return { size, dirty, some: board.nextDirty(2), sets };
}

class Update {
  readonly swarm: SimSwarm;
  readonly #reader = new SlotReader();
  readonly #shape: Shape;
  readonly #config: object;
  readonly #starts = new Map<string, number>();
  #version = 1;

  constructor(shaped: Shape, config: object = {}) {
    const { order, parallelism, delayMs } = shaped;
    this.swarm = new SimSwarm(parallelism + 1);
    this.#shape = shaped;
    const delay = durationFromMs(delayMs);
    this.#config = { order, parallelism: BigInt(parallelism), delay, ...config };
    this.swarm.fate = (task) => this.#startsSlowly(task);
  }

  async begin(): Promise<void> {
    await this.swarm.addCluster(2);
    await this.swarm.addNodes('n1', 'n2', 'n3');
    this.swarm.startLoops();
    await this.swarm.addService('s1', this.#spec());
    await this.swarm.run(2_000);
    expect(this.swarm.running()).toHaveLength(this.#shape.replicas);
  }

  async do(deed: string): Promise<void> {
    if (deed === 'leader') return this.swarm.restartLoops();
    this.#version = deed === 'back' ? Math.max(1, this.#version - 1) : this.#version + 1;
    await this.swarm.changeService('s1', this.#spec());
  }

  get image(): string {
    return `web:${this.#version}`;
  }

  /** As many tasks serve as the configuration promises, and no more slots are in work. */
  expectPromise(): void {
    const { order, parallelism, replicas } = this.#shape;
    const serving = new Set(this.swarm.tasks().filter((task) => isLive(task) && runs(task)));
    const slots = new Set([...serving].map(({ slot }) => slot)).size;
    const inWork = parallelism === 0 ? replicas : parallelism;
    const promised = order === UpdateOrder.START_FIRST ? replicas : replicas - inWork;
    expect(slots).toBeGreaterThanOrEqual(Math.max(0, promised));
    const live = this.swarm.tasks().filter(isLive).length;
    expect(live).toBeLessThanOrEqual(
      order === UpdateOrder.START_FIRST ? replicas + inWork : replicas,
    );
  }

  /** What was just looked at needs nothing more: a second look writes nothing. */
  expectIdempotent(): void {
    const nowMs = this.swarm.clock.now();
    const random = { bytes: () => new Uint8Array(16) } as never;
    const plan = planUpdate(this.swarm.store.view, 's1', { nowMs, random, ranFor: () => 0 });
    expect(plan.steps).toEqual([]);
  }

  /** Who has looked before, and read since what has changed, sees the same as who looks for the first time. */
  expectSameToAll(): void {
    const { view } = this.swarm.store;
    const [followed, first] = [this.#reader, new SlotReader()];
    const service = this.swarm.service();
    expect(told(followed.read(view, service))).toEqual(told(first.read(view, service)));
  }

  #spec() {
    const { replicas } = this.#shape;
    const restart = { condition: 2, delay: durationFromMs(1_000) };
    return replicatedSpec({ replicas, image: this.image, update: this.#config, restart });
  }

  #startsSlowly(task: TaskObject) {
    const count = (this.#starts.get(task.id) ?? 0) + 1;
    this.#starts.set(task.id, count);
    const needed = (task.id.charCodeAt(0) + task.id.charCodeAt(1)) % SLOW_STEPS_MAX;
    return count > needed ? TaskState.RUNNING : TaskState.PREPARING;
  }
}

describe('an update, whatever is changed while it is under way', () => {
  it('never has more in work than allowed nor fewer serving than promised, and ends', async () => {
    await fc.assert(
      fc.asyncProperty(shape, deeds, async (shaped, happenings) => {
        const update = new Update(shaped);
        await update.begin();
        for (const { deed, steps } of happenings) {
          await update.do(deed);
          await update.swarm.run(steps * STEP_MS, () => {
            update.expectPromise();
            update.expectSameToAll();
          });
          update.expectIdempotent();
        }
        await update.swarm.run(QUIET_MS, () => update.expectPromise());
        const { swarm } = update;
        expect(swarm.running().map(imageOf)).toEqual(Array(shaped.replicas).fill(update.image));
        const { updateStatus } = swarm.service();
        if (updateStatus) expect(updateStatus.state).toBe(UpdateState.COMPLETED);
      }),
      { numRuns: RUNS, seed: 5 },
    );
  }, 60_000);
});

describe('an update some of whose tasks fail', () => {
  const ratio = fc.constantFrom(0, 0.2, 0.5, 0.99, 1);
  const action = fc.constantFrom(
    FailureAction.PAUSE,
    FailureAction.CONTINUE,
    FailureAction.ROLLBACK,
  );

  it('stops when more have failed than it bears, and not before', async () => {
    await fc.assert(
      fc.asyncProperty(
        shape,
        ratio,
        action,
        fc.integer({ min: 0, max: 9 }),
        async (shaped, maxFailureRatio, failureAction, bad) => {
          const update = new Update(shaped, { maxFailureRatio, failureAction });
          await update.begin();
          const { swarm } = update;
          const starts = swarm.fate;
          const isBad = (task: TaskObject) => imageOf(task) === 'web:2' && task.slot <= bad;
          swarm.fate = (task) => (isBad(task) ? TaskState.REJECTED : starts(task));
          await update.do('image');
          await swarm.run(QUIET_MS);
          const failures = Math.min(bad, shaped.replicas);
          const unbearable = Math.fround(failures / shaped.replicas) > Math.fround(maxFailureRatio);
          const expected = !unbearable
            ? UpdateState.COMPLETED
            : {
                [FailureAction.PAUSE]: UpdateState.PAUSED,
                [FailureAction.CONTINUE]: UpdateState.COMPLETED,
                [FailureAction.ROLLBACK]: UpdateState.ROLLBACK_COMPLETED,
              }[failureAction];
          expect(swarm.service().updateStatus?.state).toBe(expected);
          if (expected !== UpdateState.ROLLBACK_COMPLETED) return;
          expect(swarm.running().map(imageOf)).toEqual(Array(shaped.replicas).fill('web:1'));
        },
      ),
      { numRuns: RUNS, seed: 6 },
    );
  }, 60_000);

  it('has had no more fail by then than it bears, and those that were in work', async () => {
    await fc.assert(
      fc.asyncProperty(shape, ratio, async (shaped, maxFailureRatio) => {
        const update = new Update(shaped, { maxFailureRatio });
        await update.begin();
        const { swarm } = update;
        const starts = swarm.fate;
        const isNew = (task: TaskObject) => imageOf(task) === 'web:2';
        swarm.fate = (task) => (isNew(task) ? TaskState.REJECTED : starts(task));
        await update.do('image');
        await swarm.run(QUIET_MS);
        const { parallelism, replicas } = shaped;
        const inWork = parallelism === 0 ? replicas : parallelism;
        const borne = Math.floor(Math.fround(maxFailureRatio * replicas));
        const touched = new Set(
          swarm
            .tasks()
            .filter(isNew)
            .map(({ slot }) => slot),
        );
        expect(touched.size).toBeLessThanOrEqual(Math.min(replicas, borne + inWork));
      }),
      { numRuns: RUNS / 2, seed: 7 },
    );
  }, 60_000);
});
