import { create } from '@bufbuild/protobuf';
import { SessionRequestSchema, TaskState } from '@skep/wire/swarmkit';
import { expect, it } from 'vitest';
import { Allocator } from '../allocator/index.js';
import { Dispatcher } from '../dispatcher/index.js';
import { SimWorker } from '../dispatcher/worker.sim.js';
import { Scheduler } from '../scheduler/index.js';
import { ingressOf, nodeOf, serviceOf, taskOf } from './objects.sim.js';
import { SimRoom } from './room.sim.js';

it('brings a new task to its node, addresses and all, without any time passing', async () => {
  const sim = new SimRoom();
  const managers = () => [{ nodeId: 'm1', addr: '10.0.0.1:2377', isReachable: true }];
  const dispatcher = new Dispatcher({ ...sim.options, nodeId: 'm1', managers });
  for (const loop of [new Allocator(sim.options), new Scheduler(sim.options), dispatcher]) {
    loop.start();
  }
  await sim.put('node', nodeOf('n1'));
  await sim.put('network', ingressOf());
  const { signal } = new AbortController();
  const request = create(SessionRequestSchema, { description: nodeOf('n1').description });
  const session = dispatcher.session('n1', request, '127.0.0.1', signal);
  const { value } = await session[Symbol.asyncIterator]().next();
  const worker = new SimWorker();
  void worker.follow(dispatcher, 'n1', value?.sessionId ?? '', signal);
  const startMs = sim.clock.monotonic();
  await sim.put('service', serviceOf('s', { endpoint: { ports: [{ targetPort: 80 }] } }));
  const tasks = Array.from({ length: 300 }, (_, at) =>
    taskOf(`t${at}`, { serviceId: 's', slot: BigInt(at + 1) }),
  );
  await sim.put('task', ...tasks.slice(0, 200));
  await sim.put('task', ...tasks.slice(200));
  expect(sim.clock.monotonic()).toBe(startMs);
  expect(worker.tasks.size).toBe(251);
  const assigned = [...worker.tasks.values()][0];
  expect(assigned?.status?.state).toBe(TaskState.ASSIGNED);
  expect(assigned?.networks[0]?.addresses[0]).toMatch(/^10\.0\.0\.\d+\/24$/);
  expect(assigned?.endpoint?.ports[0]?.publishedPort).toBe(30000);
  const waiting = [...sim.store.view.all('task')].filter(({ nodeId }) => nodeId === '');
  expect(new Set(waiting.map(({ status }) => status.err))).toEqual(
    new Set(['network ingress is full: 254 of 254 addresses in use']),
  );
});
