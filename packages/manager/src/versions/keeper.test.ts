import { create } from '@bufbuild/protobuf';
import { completeObject } from '@skep/wire';
import { ConfigSchema, TaskState } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { serviceOf, taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { VersionKeeper } from './keeper.js';
import { isRolling, withRolling } from './roll.js';

let sim: SimRoom;
let keeper: VersionKeeper;
beforeEach(() => {
  sim = new SimRoom();
  keeper = new VersionKeeper(sim.options);
});

const configOf = (id: string, name: string) =>
  completeObject('config', create(ConfigSchema, { id, spec: { annotations: { name } } }));

const taskSpec = (configId: string) => ({
  runtime: { case: 'container' as const, value: { configs: [{ configId, configName: 'conf' }] } },
});

const ids = () => [...sim.store.view.all('config')].map(({ id }) => id);

describe('the keeper of versions', () => {
  it('finishes what an earlier leader began, one look after the other', async () => {
    await sim.put('config', configOf('c1', 'conf'));
    await sim.put('config', withRolling(configOf('c2', 'conf@2'), true));
    await sim.put('service', serviceOf('s1', { task: taskSpec('c1') }));
    keeper.start();
    await sim.settle();
    expect(sim.get('service', 's1').spec.task).toMatchObject(taskSpec('c2'));
    expect(sim.get('service', 's1').previousSpec?.task).toMatchObject(taskSpec('c1'));
    expect(isRolling(sim.get('config', 'c2'))).toBe(false);
    expect(ids()).toEqual(['c1', 'c2']);
  });

  it('keeps a version for a task that may ask for it, until the task has ended', async () => {
    await sim.put('config', configOf('c1', 'conf'), configOf('c2', 'Conf@2'));
    const task = taskOf('t1', { spec: taskSpec('c1'), status: { state: TaskState.RUNNING } });
    await sim.put('task', task);
    keeper.start();
    await sim.settle();
    expect(ids()).toEqual(['c1', 'c2']);
    await sim.change('task', 't1', ({ status }) => ({
      status: { ...status, state: TaskState.SHUTDOWN },
    }));
    expect(ids()).toEqual(['c2']);
  });

  it('keeps what a service would go back to, until it goes', async () => {
    await sim.put('config', configOf('c1', 'conf'), configOf('c2', 'conf@2'));
    const service = serviceOf('s1', { task: taskSpec('c2') });
    service.previousSpec = serviceOf('s1', { task: taskSpec('c1') }).spec;
    await sim.put('service', service);
    keeper.start();
    await sim.settle();
    expect(ids()).toEqual(['c1', 'c2']);
    await sim.remove('service', 's1');
    expect(ids()).toEqual(['c2']);
  });

  it('touches nothing that has one version', async () => {
    await sim.put('config', configOf('c1', 'conf'));
    keeper.start();
    await sim.settle();
    expect(ids()).toEqual(['c1']);
  });
});
