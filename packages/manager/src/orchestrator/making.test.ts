import { settle } from '@skep/platform';
import { TaskState } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { TASKS_COMING_MAX, TASKS_COMING_RECHECK_MS, TASKS_MADE_MAX } from './limits.js';
import { replicatedJobSpec, replicatedSpec } from './specs.sim.js';
import { SimSwarm } from './swarm.sim.js';

const MANY = 1_000_000_000;

/** Nobody gives the tasks a node: they stay as they were made. */
async function swarmWith(spec: ReturnType<typeof replicatedSpec>) {
  const swarm = new SimSwarm();
  swarm.startLoops();
  await swarm.addService('s1', spec);
  return swarm;
}

async function pass(swarm: SimSwarm) {
  for (let look = 0; look < 2 * (TASKS_COMING_MAX / TASKS_MADE_MAX); look++) {
    await swarm.clock.advance(TASKS_COMING_RECHECK_MS);
    await settle();
  }
}

describe('a service of more replicas than nodes can hold', () => {
  it.each([
    ['replicated', replicatedSpec({ replicas: MANY })],
    ['a job', replicatedJobSpec({ total: MANY })],
  ])('gets its tasks in parts, and no more than come to run, where it is %s', async (_, spec) => {
    const swarm = await swarmWith(spec);
    expect(swarm.tasks()).toHaveLength(TASKS_MADE_MAX);
    await pass(swarm);
    expect(swarm.tasks()).toHaveLength(TASKS_COMING_MAX);
    for (const task of swarm.tasks().slice(0, 3)) await swarm.report(task, TaskState.RUNNING);
    await pass(swarm);
    expect(swarm.tasks()).toHaveLength(TASKS_COMING_MAX + 3);
    expect(new Set(swarm.tasks().map(({ slot }) => slot)).size).toBe(TASKS_COMING_MAX + 3);
  });

  it('is scaled down at any time', async () => {
    const swarm = await swarmWith(replicatedSpec({ replicas: MANY }));
    await swarm.clock.advance(TASKS_COMING_RECHECK_MS);
    await swarm.changeService('s1', replicatedSpec({ replicas: 1 }));
    await pass(swarm);
    expect(swarm.tasks()).toHaveLength(1);
  });
});
