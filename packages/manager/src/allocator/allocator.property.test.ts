import { TaskState } from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ingressOf, networkOf, nodeOf, serviceOf, taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { Allocator } from './allocator.js';
import { PLACED_RETRY_MS } from './limits.js';

type Action = 'service' | 'drop service' | 'task' | 'end task' | 'drop task' | 'place' | 'node';
interface Deed {
  action: Action;
  at: number;
  port: number;
}

const deed = fc.record<Deed>({
  action: fc.constantFrom(
    'service',
    'drop service',
    'task',
    'end task',
    'drop task',
    'place',
    'node',
  ),
  at: fc.nat(4),
  port: fc.constantFrom(0, 0, 80, 30000, 30001),
});

/** Does one thing that users, nodes and orchestrators do. */
async function perform(sim: SimRoom, { action, at, port }: Deed, step: number): Promise<void> {
  const serviceId = `s${at}`;
  const taskId = [...sim.store.view.all('task')][at]?.id;
  const spec = { networks: [{ target: 'net' }] };
  if (action === 'service') {
    const ports = [{ targetPort: 80, publishedPort: port }];
    const stored = sim.store.view.get('service', serviceId);
    const wanted = serviceOf(serviceId, { task: spec, endpoint: { ports } });
    await sim.put('service', { ...wanted, endpoint: stored?.endpoint });
  } else if (action === 'drop service') {
    if (sim.store.view.get('service', serviceId)) await sim.remove('service', serviceId);
  } else if (action === 'task') {
    if (sim.store.view.get('service', serviceId)) {
      await sim.put('task', taskOf(`t${step}`, { serviceId, spec }));
    }
  } else if (action === 'node') {
    if (sim.store.view.get('node', `n${at}`)) await sim.remove('node', `n${at}`);
    else await sim.put('node', nodeOf(`n${at}`));
  } else if (taskId) {
    if (action === 'drop task') return sim.remove('task', taskId);
    await sim.change('task', taskId, ({ status }) =>
      action === 'place' ? { nodeId: 'n1' } : { status: { ...status, state: TaskState.FAILED } },
    );
  }
}

/** Every address that a live object of the store carries. */
function addressesInUse(sim: SimRoom): string[] {
  const { view } = sim.store;
  const tasks = [...view.all('task')].filter(({ status }) => status.state <= TaskState.RUNNING);
  const attachments = [
    ...tasks.map((task) => task.networks),
    ...[...view.all('node')].map((node) => node.attachments),
  ].flat();
  const virtualIps = [...view.all('service')].flatMap(({ endpoint }) => endpoint?.virtualIps ?? []);
  return [
    ...attachments.flatMap((attachment) => attachment.addresses),
    ...virtualIps.map(({ addr }) => addr),
  ];
}

function portsInUse(sim: SimRoom): number[] {
  const ports = [...sim.store.view.all('service')].flatMap(({ endpoint }) => endpoint?.ports ?? []);
  return ports.map((port) => port.publishedPort);
}

it('never gives an address or port to two, and knows after a restart what it knew before', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 40 }), async (deeds) => {
      const sim = new SimRoom();
      const allocator = new Allocator(sim.options);
      allocator.start();
      await sim.put('network', ingressOf());
      const configs = [{ subnet: '10.7.0.0/29' }];
      await sim.put('network', networkOf('net', { ipam: { configs } }));
      for (const [step, one] of deeds.entries()) {
        await perform(sim, one, step);
        for (const inUse of [addressesInUse(sim), portsInUse(sim)]) {
          expect(new Set<unknown>(inUse).size).toBe(inUse.length);
        }
      }
      await sim.clock.advance(PLACED_RETRY_MS);
      const known = allocator.describe();
      await allocator.stop();
      const next = new Allocator(sim.options);
      next.start();
      await sim.settle();
      expect(next.describe()).toEqual(known);
      await next.stop();
    }),
    { numRuns: 60, seed: 7 },
  );
});
