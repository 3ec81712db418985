import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import { RenameContainerRequestSchema } from '@skep/wire/skep';
import {
  AttachNetworkRequestSchema,
  DetachNetworkRequestSchema,
  NodeSpec_Availability,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { Allocator } from '../allocator/index.js';
import { Scheduler } from '../scheduler/index.js';
import { networkOf, nodeOf, taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { ATTACHMENT_WAIT_MS } from './limits.js';
import { ResourceAllocator } from './resource-allocator.js';

async function room({ loops } = { loops: true }) {
  const sim = new SimRoom();
  const resources = new ResourceAllocator(sim.options);
  await sim.put('node', nodeOf('n1'), nodeOf('n2'));
  const overlay = { driverConfig: {}, ipam: { driver: {}, configs: [{ subnet: '10.7.0.0/16' }] } };
  await sim.put(
    'network',
    networkOf('net-open', { ...overlay, annotations: { name: 'open' }, attachable: true }),
    networkOf('net-closed', { annotations: { name: 'closed' } }),
  );
  if (loops) new Allocator(sim.options).start();
  if (loops) new Scheduler(sim.options).start();
  await sim.settle();
  const attach = async (target: string, addresses: string[] = [], containerId = 'c1') => {
    const config = { target, addresses, aliases: ['box', 'db'] };
    const request = create(AttachNetworkRequestSchema, { config, containerId });
    return (await resources.attachNetwork('n1', request)).attachmentId;
  };
  const detach = (attachmentId: string, nodeId = 'n1') =>
    resources.detachNetwork(nodeId, create(DetachNetworkRequestSchema, { attachmentId }));
  return { sim, resources, attach, detach };
}

describe('an attachment', () => {
  it.each(['net-open', 'open'])('to %s is a task of the node that asks', async (target) => {
    const { sim, attach } = await room();
    const task = sim.get('task', await attach(target));
    expect(task).toMatchObject({
      nodeId: 'n1',
      serviceId: '',
      slot: 0n,
      desiredState: TaskState.RUNNING,
    });
    expect(task.spec.runtime).toMatchObject({ case: 'attachment', value: { containerId: 'c1' } });
    expect(task.spec.networks[0]?.target).toBe('net-open');
  });

  it('gets an address and reaches its node like any task', async () => {
    const { sim, attach } = await room();
    const id = await attach('open', ['10.7.0.77']);
    await sim.settle();
    const { status, networks, nodeId } = sim.get('task', id);
    expect([status.state, nodeId]).toEqual([TaskState.ASSIGNED, 'n1']);
    expect(networks[0]).toMatchObject({ addresses: ['10.7.0.77/16'], aliases: ['box', 'db'] });
    expect(sim.get('node', 'n1').attachments[0]?.network?.id).toBe('net-open');
  });

  it.each(['PAUSE', 'DRAIN'] as const)('reaches a node of availability %s', async (name) => {
    const { sim, attach } = await room();
    await sim.change('node', 'n1', ({ spec }) => ({
      spec: { ...spec, availability: NodeSpec_Availability[name] },
    }));
    const id = await attach('open');
    await sim.settle();
    expect(sim.get('task', id).status.state).toBe(TaskState.ASSIGNED);
  });

  it('takes the place of the one that its container had', async () => {
    const { sim, attach } = await room();
    const first = await attach('open', ['10.7.0.77']);
    const second = await attach('open', ['10.7.0.77']);
    expect([...sim.store.view.all('task')].map(({ id }) => id)).toEqual([second]);
    expect(first).not.toBe(second);
    expect(sim.get('task', second).networks[0]?.addresses).toEqual(['10.7.0.77/16']);
  });

  it('leaves nothing behind when its address is taken', async () => {
    const { sim, attach } = await room();
    await attach('open', ['10.7.0.77']);
    await expect(attach('open', ['10.7.0.77'], 'c2')).rejects.toMatchObject({
      code: Code.FAILED_PRECONDITION,
      message: 'Address already in use: 10.7.0.77 in network open',
    });
    expect(sim.store.view.count('task')).toBe(1);
  });

  it('is answered before long while nobody gives out addresses', async () => {
    const { sim, resources } = await room({ loops: false });
    const config = { target: 'open' };
    const request = create(AttachNetworkRequestSchema, { config, containerId: 'c1' });
    const answer = resources.attachNetwork('n1', request);
    await sim.settle();
    await sim.clock.advance(ATTACHMENT_WAIT_MS);
    const { attachmentId } = await answer;
    expect(sim.get('task', attachmentId).status).toMatchObject({
      state: TaskState.NEW,
      message: 'created',
    });
  });

  it.each([
    [Code.NOT_FOUND, 'network nowhere not found', 'nowhere'],
    [Code.PERMISSION_DENIED, 'network closed not manually attachable', 'closed'],
    [Code.NOT_FOUND, 'network  not found', ''],
  ])('is refused with code %i: %s', async (code, message, target) => {
    const { sim, attach } = await room();
    await expect(attach(target)).rejects.toMatchObject({ code, message });
    expect(sim.store.view.count('task')).toBe(0);
  });

  it('is ended by its own node alone', async () => {
    const { sim, attach, detach } = await room();
    const id = await attach('open');
    await expect(detach(id, 'n2')).rejects.toMatchObject({
      code: Code.PERMISSION_DENIED,
      message: `attachment ${id} doesn't belong to this node`,
    });
    await detach(id);
    expect(sim.store.view.get('task', id)).toBeUndefined();
    await expect(detach(id)).rejects.toMatchObject({ code: Code.NOT_FOUND });
    await expect(detach('')).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });

  it('has another name when its container has, whatever else it is called', async () => {
    const { sim, resources, attach } = await room();
    const [first, other] = [await attach('open'), await attach('open', [], 'c2')];
    await sim.settle();
    const rename = (nodeId: string) =>
      resources.renameContainer(
        nodeId,
        create(RenameContainerRequestSchema, { containerId: 'c1', name: 'crate' }),
      );
    await rename('n2');
    const aliases = () => [first, other].map((id) => sim.get('task', id).networks[0]?.aliases);
    expect(aliases()).toEqual([
      ['box', 'db'],
      ['box', 'db'],
    ]);
    const { addresses } = sim.get('task', first).networks[0] ?? {};
    await rename('n1');
    expect(aliases()).toEqual([
      ['crate', 'db'],
      ['box', 'db'],
    ]);
    expect(sim.get('task', first).networks[0]?.addresses).toEqual(addresses);
    const nameless = create(RenameContainerRequestSchema, { containerId: 'c1' });
    await expect(resources.renameContainer('n1', nameless)).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
    });
  });

  it('is no way to delete a task of a service', async () => {
    const { sim, detach } = await room();
    await sim.put('task', taskOf('t1', { nodeId: 'n1', serviceId: 's1' }));
    await expect(detach('t1')).rejects.toMatchObject({ code: Code.NOT_FOUND });
    expect(sim.get('task', 't1').id).toBe('t1');
  });
});
