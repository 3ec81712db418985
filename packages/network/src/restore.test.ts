import { describe, expect, it } from 'vitest';
import { INGRESS, plain, published, SimMachine, taskOf } from './network.sim.js';

async function started() {
  const machine = new SimMachine();
  const network = await machine.boot();
  await network.networking.restore([]);
  return { machine, network };
}

const elements = async (machine: SimMachine, namespace: string, set: string) =>
  Object.fromEntries((await machine.kernel.tableElements(namespace, 'skep'))?.get(set) ?? []);
const HOST = '';
const INNER = '/run/netns/ingress';

describe('restore', () => {
  it('takes over what lives, and removes what does not', async () => {
    const { machine, network } = await started();
    await network.publisher.configureNode(INGRESS);
    const at = [{ HostIp: '', HostPort: '8080' }];
    const request = plain('a', { ports: { '80/tcp': at } });
    const state = await network.networking.setUp(request);
    const gone = await network.networking.setUp(plain('b'));
    const task = taskOf('t', '10.0.0.5');
    const taskState = await network.networking.setUp(task);
    await network.publisher.activate(published('t', '10.0.0.5', 9090));
    await network.close();

    const next = await machine.boot();
    const made = machine.kernel.at(state.netnsPath).link('eth0');
    await next.networking.restore([
      { request, state },
      { request: task, state: taskState },
    ]);
    await next.publisher.restored(['t']);
    expect(machine.kernel.at(state.netnsPath).link('eth0')).toBe(made);
    expect(machine.kernel.namespaces.has(gone.netnsPath)).toBe(false);
    expect(await elements(machine, HOST, 'bound')).toEqual({ 'tcp . 8080': '172.17.0.2 . 80' });
    expect(await elements(machine, HOST, 'published')).toEqual({ 'tcp . 9090': '' });
    expect(await elements(machine, INNER, 'services')).toEqual({ 'tcp . 9090': 'goto pick_1' });
    expect(machine.holder.held).toEqual(new Set(['tcp 8080 0.0.0.0', 'tcp 9090 0.0.0.0']));
    const fresh = await next.networking.setUp(plain('c'));
    expect(fresh.endpoints['bridge']?.IPAddress).toBe('172.17.0.3');
  });

  it('withdraws what is published for tasks that no longer live', async () => {
    const { machine, network } = await started();
    await network.publisher.configureNode(INGRESS);
    await network.publisher.activate(published('t1', '10.0.0.5'));
    await network.publisher.activate(published('t2', '10.0.0.6'));
    await network.close();
    const next = await machine.boot();
    await next.networking.restore([]);
    await next.publisher.restored(['t2']);
    const backends = await elements(machine, INNER, 'backends');
    expect(Object.values(backends)).toEqual(['10.0.0.6 . 80']);
    await next.publisher.restored([]);
    expect(await elements(machine, HOST, 'published')).toEqual({});
  });

  it('plugs a living container in again when its bridge was deleted', async () => {
    const { machine, network } = await started();
    const request = plain('a');
    const state = await network.networking.setUp(request);
    machine.kernel.host.removeLink('skep0');
    const next = await machine.boot();
    await next.networking.restore([{ request, state }]);
    const port = [...machine.kernel.host.links.values()].find(({ kind }) => kind === 'veth');
    expect(port?.master).toBe('skep0');
  });

  it('builds the ingress namespace again when it was removed', async () => {
    const { machine, network } = await started();
    await network.publisher.configureNode(INGRESS);
    await network.publisher.activate(published('t', '10.0.0.5'));
    await machine.kernel.run([{ op: 'namespace-remove', path: INNER }]);
    const next = await machine.boot();
    await next.networking.restore([]);
    expect(await elements(machine, INNER, 'services')).toEqual({ 'tcp . 8080': 'goto pick_1' });
  });

  it('keeps its subnets and network ids, and moves away from a new route of the host', async () => {
    const { machine, network } = await started();
    const before = network.localNetworks.inspect('bridge');
    const next = await machine.boot();
    expect(next.localNetworks.inspect('bridge')).toEqual(before);
    await network.close({ removeAll: true });
    machine.kernel.host.addAddress('up0', '172.17.5.1/24');
    const third = await machine.boot();
    const moved = third.localNetworks.inspect('bridge');
    expect(moved.Id).toBe(before.Id);
    expect(moved.IPAM.Config?.[0]?.Subnet).toBe('172.19.0.0/16');
  });

  it('removes everything of ours, and nothing else, when told to', async () => {
    const { machine, network } = await started();
    await network.publisher.configureNode(INGRESS);
    await network.networking.setUp(plain('a'));
    await network.networking.setUp(taskOf('t', '10.0.0.5'));
    await network.publisher.activate(published('t', '10.0.0.5'));
    await network.close({ removeAll: true });
    expect([...machine.kernel.namespaces.keys()]).toEqual([HOST]);
    expect([...machine.kernel.host.links.keys()]).toEqual(['lo', 'up0']);
    expect(machine.kernel.host.tables.names()).toEqual([]);
    expect(machine.holder.held.size).toBe(0);
    expect(await machine.disk.list('/run/network')).toEqual([]);
  });

  it('warns of a firewall that drops what is forwarded', async () => {
    const machine = new SimMachine();
    const chain = { family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward' };
    machine.kernel.foreignChains.push({ ...chain, policy: 'drop' });
    const network = await machine.boot();
    await network.networking.restore([]);
    expect(network.warnings().join()).toContain('ip filter FORWARD drops forwarded packets');
  });
});
