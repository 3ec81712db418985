import { create } from '@bufbuild/protobuf';
import { durationFromMs, type TaskObject } from '@skep/wire';
import {
  AnnotationsSchema,
  NodeSpec_Availability,
  NodeStatus_State,
  type ServiceSpec,
  TaskState,
} from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLive } from '../orchestrator/slot.js';
import { globalSpec, replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimLeader } from './leader.sim.js';

const RUNS = 30;
const NODES = ['n1', 'n2', 'n3', 'n4'];
/** Never removed, so that there is always somewhere to go. */
const KEPT = 'n1';
/** More than any grace, restart delay and wait for an old task, one after the other. */
const QUIET_MS = 90_000;
const LABELLED = create(AnnotationsSchema, { labels: { zone: 'a' } });
const BARE = create(AnnotationsSchema);

type Deed =
  | 'kill'
  | 'start'
  | 'unplug'
  | 'plug'
  | 'drain'
  | 'pause'
  | 'activate'
  | 'label'
  | 'unlabel'
  | 'remove';
type Event =
  | { kind: 'node'; node: string; deed: Deed }
  | { kind: 'scale'; replicas: number }
  | { kind: 'leader'; clean: boolean; goneMs: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('node' as const),
      node: fc.constantFrom(...NODES),
      deed: fc.constantFrom<Deed>(
        ...(['kill', 'start', 'unplug', 'plug', 'drain'] as const),
        ...(['pause', 'activate', 'label', 'unlabel', 'remove'] as const),
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('scale' as const), replicas: fc.nat(8) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('leader' as const),
      clean: fc.boolean(),
      goneMs: fc.constantFrom(0, 0, 500, 5_000),
    }),
  },
);
const story = fc.array(fc.tuple(event, fc.constantFrom(0, 300, 1_000, 4_000, 15_000)), {
  maxLength: 16,
});
const mode = fc.constantFrom('replicated' as const, 'global' as const);

class Story {
  sim!: SimLeader;
  readonly removed = new Set<string>();
  /** Tasks whose state was taken back. */
  readonly #backwards: string[] = [];
  #replicas = 5;
  readonly #mode: 'replicated' | 'global';

  constructor(mode: 'replicated' | 'global') {
    this.#mode = mode;
  }

  async begin(): Promise<void> {
    this.sim = await SimLeader.of(...NODES);
    for (const id of NODES) await this.sim.setSpec(id, { annotations: LABELLED });
    await this.sim.addService('s1', this.#spec());
    await this.sim.run(2_000);
    this.sim.store.subscribe(({ changes }) => {
      for (const { table, object, before } of changes) {
        if (table !== 'task' || !before) continue;
        if (object.status.state < before.status.state) this.#backwards.push(object.id);
      }
    });
  }

  #spec(): Partial<ServiceSpec> {
    const restart = { condition: 2, delay: durationFromMs(1_000) };
    const options = { restart, constraints: ['node.labels.zone==a'] };
    if (this.#mode === 'global') return globalSpec(options);
    return replicatedSpec({ ...options, replicas: this.#replicas });
  }

  async apply(happening: Event): Promise<void> {
    const { sim } = this;
    if (happening.kind === 'leader') {
      await sim.resign(happening.clean);
      await sim.run(happening.goneMs);
      return sim.lead();
    }
    if (happening.kind === 'scale') {
      this.#replicas = happening.replicas;
      const { mode } = this.#spec();
      return sim.changeService('s1', ({ spec }) => ({ spec: { ...spec, mode: mode! } }));
    }
    if (!this.removed.has(happening.node)) await this.#toNode(happening.node, happening.deed);
  }

  async #toNode(id: string, deed: Deed): Promise<void> {
    const { sim } = this;
    const agent = sim.agent(id);
    switch (deed) {
      case 'kill':
      case 'start':
      case 'unplug':
      case 'plug':
        return agent[deed]();
      case 'drain':
        return sim.setAvailability(id, NodeSpec_Availability.DRAIN);
      case 'pause':
        return sim.setAvailability(id, NodeSpec_Availability.PAUSE);
      case 'activate':
        return sim.setAvailability(id, NodeSpec_Availability.ACTIVE);
      case 'label':
        return sim.setSpec(id, { annotations: LABELLED });
      case 'unlabel':
        return sim.setSpec(id, { annotations: BARE });
      case 'remove':
        if (id === KEPT) return;
        this.removed.add(id);
        agent.kill();
        return sim.removeNode(id);
    }
  }

  /** All that is left is well again, and everything gets the time it needs. */
  async end(): Promise<void> {
    for (const id of this.left) {
      for (const deed of ['start', 'plug', 'activate', 'label'] as const) {
        await this.#toNode(id, deed);
      }
    }
    await this.sim.run(QUIET_MS, () => this.expectSafe());
  }

  get left(): string[] {
    return NODES.filter((id) => !this.removed.has(id));
  }

  /** No seat is ever asked for two tasks that run, and states only go on. */
  expectSafe(): void {
    expect(this.#backwards).toEqual([]);
    const asked = this.sim.tasks().filter(({ desiredState, status }) => {
      return desiredState === TaskState.RUNNING && status.state === TaskState.RUNNING;
    });
    expect(new Set(asked.map(seatOf)).size).toBe(asked.length);
  }

  /** What is wanted runs, where it is said to, and nothing else does. */
  expectConverged(): void {
    const { sim } = this;
    const wanted = sim.tasks().filter(isLive);
    const seats = this.#mode === 'global' ? this.left.length : this.#replicas;
    expect(wanted.map(({ status }) => status.state)).toEqual(Array(seats).fill(TaskState.RUNNING));
    const containers = this.left.map((id) => [id, sim.agent(id).running.toSorted()]);
    const expected = this.left.map((id) => {
      const here = wanted.filter(({ nodeId }) => nodeId === id);
      return [id, here.map((task) => task.id).sort()];
    });
    expect(containers).toEqual(expected);
    const states = new Set(this.left.map((id) => sim.nodeState(id)));
    expect(states).toEqual(new Set([NodeStatus_State.READY]));
  }
}

function seatOf(task: TaskObject): string {
  return task.slot === 0n ? task.nodeId : String(task.slot);
}

describe('whatever nodes and leaders go through', () => {
  it('no seat is taken twice, no state goes back, and in the end all is as it should be', async () => {
    await fc.assert(
      fc.asyncProperty(mode, story, async (shaped, happenings) => {
        const told = new Story(shaped);
        await told.begin();
        for (const [happening, durationMs] of happenings) {
          await told.apply(happening);
          told.expectSafe();
          await told.sim.run(durationMs, () => told.expectSafe());
        }
        await told.end();
        told.expectConverged();
      }),
      { numRuns: RUNS, seed: 11 },
    );
  }, 120_000);
});
