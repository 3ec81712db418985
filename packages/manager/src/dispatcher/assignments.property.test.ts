import { create } from '@bufbuild/protobuf';
import { completeObject, type TaskObject } from '@skep/wire';
import { ConfigSchema, SecretSchema, SessionRequestSchema, TaskState } from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeOf, taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { Dispatcher } from './dispatcher.js';
import { SimWorker } from './worker.sim.js';

const STATES = [TaskState.ASSIGNED, TaskState.PREPARING, TaskState.RUNNING, TaskState.FAILED];

const deed = fc.record({
  action: fc.constantFrom('create', 'advance', 'stop', 'remove', 'move'),
  task: fc.nat(5),
  state: fc.constantFrom(...STATES),
  secrets: fc.subarray(['s1', 's2']),
  configs: fc.subarray(['c1', 'c2']),
});

type Deed = typeof deed extends fc.Arbitrary<infer T> ? T : never;

function newTask(id: string, { secrets, configs }: Deed): TaskObject {
  const value = {
    secrets: secrets.map((secretId) => ({ secretId })),
    configs: configs.map((configId) => ({ configId })),
  };
  const status = { state: TaskState.PENDING };
  return taskOf(id, { spec: { runtime: { case: 'container', value } }, status });
}

async function perform(sim: SimRoom, one: Deed): Promise<void> {
  const id = `t${one.task}`;
  const task = sim.store.view.get('task', id);
  if (!task) {
    if (one.action === 'create')
      await sim.store.update((tx) => tx.create('task', newTask(id, one)));
    return;
  }
  await sim.store.update((tx) => {
    if (one.action === 'remove') return tx.remove('task', id);
    if (one.action === 'stop') {
      return void tx.update('task', { ...task, desiredState: TaskState.SHUTDOWN });
    }
    const state = Math.max(one.state, task.status.state);
    const nodeId = one.action === 'move' ? 'n2' : task.nodeId || 'n1';
    tx.update('task', { ...task, nodeId, status: { ...task.status, state } });
  });
}

/** What the worker must have, read off the store. */
function expected(sim: SimRoom) {
  const tasks = [...sim.store.view.tasksOfNode('n1')].filter(
    ({ status }) => status.state >= TaskState.ASSIGNED,
  );
  const live = tasks.filter(({ status }) => status.state <= TaskState.RUNNING);
  const specs = live.flatMap(({ spec }) =>
    spec.runtime.case === 'container' ? [spec.runtime.value] : [],
  );
  return {
    tasks: tasks.map(({ id, desiredState }) => `${id} ${desiredState}`).sort(),
    secrets: new Set(specs.flatMap(({ secrets }) => secrets.map(({ secretId }) => secretId))),
    configs: new Set(specs.flatMap(({ configs }) => configs.map(({ configId }) => configId))),
  };
}

it('replaying the assignments gives what the store holds, however the messages fall', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(deed, { maxLength: 4 }), { maxLength: 20 }),
      async (turns) => {
        const sim = new SimRoom();
        await sim.put('node', nodeOf('n1'), nodeOf('n2'));
        await sim.put('secret', ...['s1', 's2'].map(secretOf));
        await sim.put('config', ...['c1', 'c2'].map(configOf));
        const managers = () => [{ nodeId: 'm1', addr: '10.0.0.1:2377', isReachable: true }];
        const dispatcher = new Dispatcher({ ...sim.options, nodeId: 'm1', managers });
        dispatcher.start();
        const { signal } = new AbortController();
        const session = dispatcher.session('n1', create(SessionRequestSchema), '', signal);
        const { value } = await session[Symbol.asyncIterator]().next();
        const worker = new SimWorker();
        void worker.follow(dispatcher, 'n1', value?.sessionId ?? '', signal).catch(() => {});
        for (const turn of turns) {
          for (const one of turn) await perform(sim, one);
          await sim.settle();
          const { tasks, secrets, configs } = expected(sim);
          const told = [...worker.tasks.values()].map((task) => `${task.id} ${task.desiredState}`);
          expect(told.sort()).toEqual(tasks);
          expect(worker.secrets).toEqual(secrets);
          expect(worker.configs).toEqual(configs);
        }
        await dispatcher.stop();
      },
    ),
    { numRuns: 80, seed: 3 },
  );
});

function secretOf(id: string) {
  return completeObject(
    'secret',
    create(SecretSchema, { id, spec: { annotations: { name: id } } }),
  );
}

function configOf(id: string) {
  return completeObject(
    'config',
    create(ConfigSchema, { id, spec: { annotations: { name: id } } }),
  );
}
