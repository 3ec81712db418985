import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import { CreateServiceRequestSchema, TaskState } from '@skep/wire/swarmkit';
import { Trace } from '../engine/index.js';
import { addNode, foundSwarm } from './formation.js';
import type { ClusterMachine } from './machine.js';
import { drawClusterScenario } from './scenario.js';
import { type ServiceWish, serviceSpec } from './services/index.js';
import { notWell } from './well.js';
import { ClusterWorld } from './world.js';

const WELL_WITHIN_MS = 60_000;

/** A swarm in memory that a test does things to, step by step. */
export class TestSwarm {
  readonly world: ClusterWorld;
  readonly trace = new Trace();

  constructor(seed = 1) {
    const calm = { drifts: [], faults: [], loss: 0, delay: { minMs: 0.2, maxMs: 1 } };
    this.world = new ClusterWorld({ ...drawClusterScenario(seed), ...calm }, this.trace);
  }

  /** Managers first, all well. */
  static async form(managers: number, workers: number): Promise<TestSwarm> {
    const swarm = new TestSwarm();
    await foundSwarm(swarm.world);
    for (let count = 1; count < managers; count++) await addNode(swarm.world, 'manager');
    for (let count = 0; count < workers; count++) await addNode(swarm.world, 'worker');
    return swarm;
  }

  get leader(): ClusterMachine {
    const { leader } = this.world;
    if (!leader) throw new Error('nobody leads');
    return leader;
  }

  /** The control of the leader. */
  get control(): Control {
    const manager = this.leader.member?.manager;
    if (!manager) throw new Error('nobody leads');
    return manager.control;
  }

  get view() {
    const manager = this.leader.member?.manager;
    if (!manager) throw new Error('nobody leads');
    return manager.view;
  }

  machine(number: number): ClusterMachine {
    const machine = this.world.machines[number - 1];
    if (!machine) throw new Error(`there is no machine ${number}`);
    return machine;
  }

  run(forMs: number): Promise<void> {
    const { timeline } = this.world;
    return timeline.run(timeline.nowMs + forMs);
  }

  /** Runs until something is the case. */
  until(what: string, isSo: () => boolean, withinMs = WELL_WITHIN_MS): Promise<void> {
    return this.world.until(what, withinMs, () => (isSo() ? undefined : 'not yet'));
  }

  untilWell(withinMs = WELL_WITHIN_MS): Promise<void> {
    return this.world.until('all is well', withinMs, () => notWell(this.world));
  }

  /** The outcome of a promise that time has to pass for. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = promise.finally(() => {
      isSettled = true;
    });
    settled.catch(() => {});
    await this.until('an answer', () => isSettled);
    return settled;
  }

  /** A replicated service that goes on, or what is wished for. */
  async createService(
    name: string,
    replicas: number,
    wish: Partial<ServiceWish> = {},
  ): Promise<void> {
    const mode = { kind: 'replicated', replicas } as const;
    const spec = serviceSpec({ name, mode, image: `${name}:1`, ...wish });
    const request = create(CreateServiceRequestSchema, { spec });
    await this.during(this.control.createService(request));
    await this.untilWell();
  }

  /** How many tasks run and shall run on machines that are up, by what their engines say. */
  get runningCount(): number {
    const wanted = new Set(
      [...this.view.all('task')]
        .filter(({ desiredState }) => desiredState === TaskState.RUNNING)
        .map(({ id }) => id),
    );
    const up = this.world.machines.filter(({ life }) => life);
    return up.flatMap(({ containers }) => containers.running).filter((id) => wanted.has(id)).length;
  }
}
