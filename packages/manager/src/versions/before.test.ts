import { create } from '@bufbuild/protobuf';
import type { ServiceObject } from '@skep/wire';
import { UpdateStatus_UpdateState as UpdateState, UpdateStatusSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';
import { serviceOf } from '../testing/objects.sim.js';
import { specBefore } from './before.js';

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

describe('what a rollback goes back to', () => {
  const specOf = (configId: string, image: string) =>
    ({ ...serviceOf('s1').spec, ...using(configId, image) }) as ServiceObject['spec'];
  /** A service that was updated from web:1 to web:2, both with the first version. */
  const updatedTo = (state: UpdateState | undefined): ServiceObject => ({
    ...serviceOf('s1'),
    spec: specOf('c1', 'web:2'),
    previousSpec: specOf('c1', 'web:1'),
    updateStatus: create(UpdateStatusSchema, { state: state ?? UpdateState.UNKNOWN }),
  });
  const before = (service: ServiceObject, configId: string, image: string) =>
    specBefore(service, specOf(configId, image)).previousSpec;

  it.each([UpdateState.UPDATING, UpdateState.PAUSED])(
    'stays when a new version meets an update that has not come to its end (%i)',
    (state) => {
      expect(before(updatedTo(state), 'c2', 'web:2')).toEqual(specOf('c1', 'web:1'));
    },
  );

  it.each([undefined, UpdateState.COMPLETED, UpdateState.ROLLBACK_COMPLETED])(
    'is what ran before the new version otherwise (%s)',
    (state) => {
      expect(before(updatedTo(state), 'c2', 'web:2')).toEqual(specOf('c1', 'web:2'));
    },
  );

  it('is what ran, where a user changes more than the version', () => {
    const service = updatedTo(UpdateState.PAUSED);
    expect(before(service, 'c2', 'web:3')).toEqual(specOf('c1', 'web:2'));
  });
});
