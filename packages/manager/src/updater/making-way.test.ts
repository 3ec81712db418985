import { create } from '@bufbuild/protobuf';
import type { TaskObject } from '@skep/wire';
import {
  EndpointSpecSchema,
  PortConfig_PublishMode,
  type ServiceSpec,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isLive } from '../orchestrator/slot.js';
import { globalSpec, replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimLeader } from '../testing/leader.sim.js';

const update = { parallelism: 1n, order: UpdateOrder.START_FIRST };
const publishMode = PortConfig_PublishMode.HOST;
const onHost = (publishedPort: number) =>
  create(EndpointSpecSchema, { ports: [{ targetPort: 80, publishedPort, publishMode }] });

const web = (image: string, options: object = {}, port = 8_080): Partial<ServiceSpec> => ({
  ...replicatedSpec({ replicas: 2, image, update, ...options }),
  endpoint: onHost(port),
});

async function updated(sim: SimLeader, spec: Partial<ServiceSpec>): Promise<void> {
  await sim.changeService('s1', (service) => ({
    spec: { ...service.spec, ...spec } as typeof service.spec,
    specVersion: service.meta.version,
    updateStatus: undefined,
  }));
}

async function swarmWith(spec: Partial<ServiceSpec>, ...nodes: string[]): Promise<SimLeader> {
  const sim = await SimLeader.of(...nodes);
  await sim.addService('s1', spec);
  await sim.run(2_000);
  return sim;
}

const status = (sim: SimLeader) => sim.store.view.get('service', 's1')?.updateStatus;
const runs = (task: TaskObject) => isLive(task) && task.status.state === TaskState.RUNNING;
const imageOf = ({ spec }: TaskObject) => (spec.runtime.value as { image: string }).image;
const running = (sim: SimLeader) => sim.tasks().filter(runs);
const images = (sim: SimLeader) => running(sim).map(imageOf);

/** The fewest tasks that ran at any step. */
async function leastRunning(sim: SimLeader, ms: number): Promise<number> {
  let least = Number.MAX_SAFE_INTEGER;
  await sim.run(ms, () => {
    least = Math.min(least, running(sim).length);
  });
  return least;
}

describe('an update that starts first', () => {
  const inUse = (slot: number) =>
    `; stop-first instead of start-first for s1.${slot}: ` +
    'no suitable node (host-mode port already in use on 2 nodes): port 8080/tcp in use on 2 nodes';

  it('stops a task first whose port on the host its successor needs, and says so', async () => {
    const sim = await swarmWith(web('web:1'), 'n1', 'n2');
    await updated(sim, web('web:2'));
    await sim.run(700);
    expect(status(sim)).toMatchObject({
      state: UpdateState.UPDATING,
      message: `update in progress${inUse(1)}`,
    });
    expect(await leastRunning(sim, 20_000)).toBe(1);
    expect(images(sim)).toEqual(['web:2', 'web:2']);
    expect(status(sim)).toMatchObject({
      state: UpdateState.COMPLETED,
      message: `update completed${inUse(2)}`,
    });
  });

  it('does so only where no other node has the port free', async () => {
    const sim = await swarmWith(web('web:1'), 'n1', 'n2', 'n3');
    await updated(sim, web('web:2'));
    expect(await leastRunning(sim, 20_000)).toBe(2);
    expect(images(sim)).toEqual(['web:2', 'web:2']);
    expect(status(sim)?.message).toBe('update completed');
  });

  it('does so on each node of a global service', async () => {
    const spec = (image: string) => ({ ...globalSpec({ image, update }), endpoint: onHost(80) });
    const sim = await swarmWith(spec('web:1'), 'n1', 'n2');
    await updated(sim, spec('web:2'));
    await sim.run(20_000);
    expect(images(sim)).toEqual(['web:2', 'web:2']);
    expect(status(sim)?.message).toMatch(
      /^update completed; stop-first instead of start-first for s1\.n[12]: .*host-mode port/,
    );
  });

  it('does so where each node has as many replicas as it may', async () => {
    const limited = (image: string) => {
      const spec = replicatedSpec({ replicas: 2, image, update });
      if (spec.task?.placement) spec.task.placement.maxReplicas = 1n;
      return spec;
    };
    const sim = await swarmWith(limited('web:1'), 'n1', 'n2');
    await updated(sim, limited('web:2'));
    expect(await leastRunning(sim, 20_000)).toBe(1);
    expect(images(sim)).toEqual(['web:2', 'web:2']);
    expect(status(sim)?.message).toContain('for s1.2: no suitable node (max replicas per node');
  });

  it('keeps the old task where stopping it would make no room', async () => {
    const sim = await swarmWith(web('web:1'), 'n1', 'n2');
    await updated(sim, web('web:2', { constraints: ['node.hostname==n3'] }));
    expect(await leastRunning(sim, 20_000)).toBe(2);
    expect(status(sim)?.message).toBe('update in progress');

    const other = { ...replicatedSpec({ replicas: 2, image: 'other' }), endpoint: onHost(9_090) };
    const shared = await swarmWith(web('web:1'), 'n1', 'n2');
    await shared.addService('s2', other);
    await shared.run(1_000);
    await updated(shared, web('web:2', {}, 9_090));
    expect(await leastRunning(shared, 20_000)).toBe(2);
    expect(images(shared)).toEqual(['web:1', 'web:1']);
  });

  it('goes on with that under a new leader', async () => {
    const sim = await swarmWith(web('web:1'), 'n1', 'n2');
    await updated(sim, web('web:2'));
    for (let at = 0; at < 8; at++) {
      await sim.run(400);
      await sim.resign(at % 2 === 0);
      sim.lead();
    }
    await sim.run(20_000);
    expect(images(sim)).toEqual(['web:2', 'web:2']);
    expect(status(sim)?.state).toBe(UpdateState.COMPLETED);
  });
});
