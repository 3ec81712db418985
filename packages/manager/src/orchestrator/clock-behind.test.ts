import { durationFromMs } from '@skep/wire';
import {
  RestartPolicy_RestartCondition as Condition,
  NodeSpec_Availability,
  TaskState,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isLive, slotsOf } from './slot.js';
import { globalSpec, replicatedSpec } from './specs.sim.js';
import { SimSwarm } from './swarm.sim.js';

const HOUR_MS = 3_600_000;

type Spec = ReturnType<typeof replicatedSpec>;

async function swarmOf(spec: Spec) {
  const swarm = new SimSwarm();
  await swarm.addCluster(-1);
  await swarm.addNodes('n1', 'n2', 'n3');
  swarm.startLoops();
  await swarm.addService('s1', spec);
  await swarm.run(2_000);
  return swarm;
}

/** Another manager leads, whose clock is an hour behind. */
function goBack(swarm: SimSwarm): Promise<void> {
  swarm.clock.jump(-HOUR_MS);
  return swarm.restartLoops();
}

const imageOf = (task: { spec: { runtime: { value?: unknown } } }) =>
  (task.spec.runtime.value as { image: string }).image;
const web = (image: string, options: Partial<Parameters<typeof replicatedSpec>[0]> = {}) =>
  replicatedSpec({ replicas: 2, image, ...options });

describe('a leader whose clock is behind that of the one before', () => {
  it.each(['before the update', 'during the update'])(
    'tells no update to be completed early: %s',
    async (when) => {
      const update = { parallelism: 0n };
      const swarm = await swarmOf(web('web:1', { update }));
      if (when === 'before the update') await goBack(swarm);
      // The new tasks cannot run yet.
      swarm.fate = (task) => (imageOf(task) === 'web:1' ? TaskState.RUNNING : TaskState.PREPARING);
      if (when === 'during the update') await swarm.stopLoops();
      await swarm.changeService('s1', web('web:2', { update }));
      if (when === 'during the update') {
        swarm.startLoops();
        await goBack(swarm);
      }
      await swarm.run(10_000);
      expect(swarm.service().updateStatus?.state).toBe(UpdateState.UPDATING);
      swarm.fate = () => TaskState.RUNNING;
      await swarm.run(10_000);
      expect(swarm.service().updateStatus?.state).toBe(UpdateState.COMPLETED);
      expect(swarm.running().map(imageOf)).toEqual(['web:2', 'web:2']);
    },
  );

  it('gives up an update whose tasks fail, as another does', async () => {
    const swarm = await swarmOf(web('web:1'));
    await goBack(swarm);
    swarm.fate = (task) => (imageOf(task) === 'web:1' ? TaskState.RUNNING : TaskState.REJECTED);
    await swarm.changeService('s1', web('web:2'));
    await swarm.run(10_000);
    expect(swarm.service().updateStatus?.state).toBe(UpdateState.PAUSED);
  });

  it('asks one task to take the place of one on a drained node', async () => {
    const swarm = await swarmOf(web('web:1', { replicas: 1 }));
    await goBack(swarm);
    swarm.fate = ({ id }) =>
      id === swarm.tasks()[0]?.id ? TaskState.RUNNING : TaskState.PREPARING;
    const [{ nodeId } = { nodeId: '' }] = swarm.tasks();
    await swarm.changeNode(nodeId, ({ spec }) => ({
      spec: { ...spec, availability: NodeSpec_Availability.DRAIN },
    }));
    await swarm.run(5_000);
    expect(swarm.tasks()).toHaveLength(2);
  });

  it('waits between restarts', async () => {
    const swarm = await swarmOf(web('web:1', { replicas: 1 }));
    await goBack(swarm);
    swarm.fate = () => TaskState.FAILED;
    await swarm.run(60_000);
    expect(swarm.tasks().length).toBeGreaterThan(10);
    expect(swarm.tasks().length).toBeLessThan(14);
  });

  it('counts the restarts of a window', async () => {
    const restart = { condition: Condition.ANY, maxAttempts: 3n, window: durationFromMs(HOUR_MS) };
    const swarm = await swarmOf(web('web:1', { replicas: 1, restart }));
    await goBack(swarm);
    swarm.fate = () => TaskState.FAILED;
    await swarm.run(60_000);
    expect(swarm.tasks().filter(isLive)).toEqual([]);
  });

  it.each([
    ['of a slot', web('web:1')],
    ['of a node', globalSpec({ image: 'web:1' })],
  ])('puts new tasks after the old ones %s', async (_, spec) => {
    const swarm = await swarmOf(spec);
    await goBack(swarm);
    const old = new Set(swarm.tasks().map(({ id }) => id));
    await swarm.changeService('s1', { ...spec, task: { ...spec.task, forceUpdate: 1n } as never });
    await swarm.run(20_000);
    for (const slot of slotsOf(swarm.store.view, swarm.service()).values()) {
      expect(slot.map(({ id }) => old.has(id))).toEqual([true, false]);
    }
  });
});
