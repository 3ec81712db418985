import { UpdateStatus_UpdateState as UpdateState } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';

/** A task template with one config, in this version. */
function using(configId: string, image = 'web:1') {
  const spec = replicatedSpec({ replicas: 1, image });
  const runtime = spec.task?.runtime;
  if (runtime?.case === 'container') {
    runtime.value.configs = [{ ...CONFIG, configId }];
  }
  return spec;
}

const CONFIG = {
  $typeName: 'docker.swarmkit.v1.ConfigReference' as const,
  configName: 'conf',
  target: { case: undefined },
};

async function running(): Promise<SimSwarm> {
  const swarm = new SimSwarm();
  await swarm.addNodes('n1');
  swarm.startLoops();
  await swarm.addService('s1', using('c1'));
  await swarm.run(1_000);
  return swarm;
}

describe('a service that was given a new version', () => {
  it('is updated once what else is deployed with it has come', async () => {
    const swarm = await running();
    await swarm.changeService('s1', using('c2'));
    await swarm.run(900);
    expect(swarm.tasks()).toHaveLength(1);
    expect(swarm.service().updateStatus).toBeUndefined();
    await swarm.run(1_500);
    expect(swarm.tasks()).toHaveLength(2);
    expect(swarm.service().updateStatus?.state).toBe(UpdateState.UPDATING);
    await swarm.stopLoops();
  });

  it('is updated at once when its user changes anything else', async () => {
    const swarm = await running();
    await swarm.changeService('s1', using('c2'));
    await swarm.changeService('s1', using('c2', 'web:2'));
    expect(swarm.service().updateStatus?.state).toBe(UpdateState.UPDATING);
    await swarm.stopLoops();
  });
});
