import { describe, expect, it } from 'vitest';
import { HOST_COMPARE_MS } from './limits.js';
import {
  bootInSwarm,
  DATA_PATH,
  endpointOn,
  INGRESS,
  NET,
  plain,
  SimMachine,
  swarmUpdate,
  taskOf,
} from './network.sim.js';

async function started() {
  const machine = new SimMachine();
  const network = await machine.boot();
  await network.networking.restore([]);
  return { machine, network };
}

const elements = async (machine: SimMachine, namespace: string, set: string) =>
  Object.fromEntries((await machine.kernel.tableElements(namespace, 'skep'))?.get(set) ?? []);
const HOST = '';

describe('restore', () => {
  it('takes over what lives, and removes what does not', async () => {
    const machine = new SimMachine();
    const { networking, close } = await bootInSwarm(machine);
    const at = [{ HostIp: '', HostPort: '8080' }];
    const request = plain('a', { ports: { '80/tcp': at } });
    const state = await networking.setUp(request);
    const gone = await networking.setUp(plain('b'));
    const task = taskOf('t', endpointOn(NET, '10.0.1.5/24'), endpointOn(INGRESS, '10.0.0.5/24'));
    const taskState = await networking.setUp(task);
    await close();

    const next = await machine.boot();
    const made = machine.kernel.at(state.netnsPath).link('eth0');
    const taskLinks = [...machine.kernel.at(taskState.netnsPath).links.values()];
    await next.networking.restore([
      { request, state },
      { request: task, state: taskState },
    ]);
    await next.overlays.configure(DATA_PATH);
    await next.tables.update(swarmUpdate(7n));
    expect(machine.kernel.at(state.netnsPath).link('eth0')).toBe(made);
    expect([...machine.kernel.at(taskState.netnsPath).links.values()]).toEqual(taskLinks);
    expect(machine.kernel.namespaces.has(gone.netnsPath)).toBe(false);
    expect(await elements(machine, HOST, 'bound')).toEqual({ 'tcp . 8080': '172.17.0.2 . 80' });
    expect(machine.holder.held).toContain('tcp 8080 0.0.0.0');
    const fresh = await next.networking.setUp(plain('c'));
    expect(fresh.endpoints['bridge']?.IPAddress).toBe('172.17.0.3');
    const other = await next.networking.setUp(taskOf('u', endpointOn(NET, '10.0.1.6/24')));
    const egress = machine.kernel.at(other.netnsPath).addresses.map(({ address }) => address);
    expect(egress).toContain('172.18.0.3/16');
  });

  it("looks after the host's rules from then on, and puts back what somebody took away", async () => {
    const { machine, network } = await started();
    const at = [{ HostIp: '', HostPort: '8080' }];
    await network.networking.setUp(plain('a', { ports: { '80/tcp': at } }));
    const kept = await elements(machine, HOST, 'bound');
    await machine.clock.advance(HOST_COMPARE_MS);
    const { batches } = machine.kernel;
    await machine.clock.advance(HOST_COMPARE_MS);
    expect(machine.kernel.batches).toBe(batches);
    const removal = { kind: 'table-remove', table: 'skep' } as const;
    await machine.kernel.run([{ op: 'nft', namespace: HOST, changes: [removal] }]);
    await machine.clock.advance(HOST_COMPARE_MS);
    expect(await elements(machine, HOST, 'bound')).toEqual(kept);
    await network.close();
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

  it('puts a living container on its network again when that was removed', async () => {
    const machine = new SimMachine();
    const { kernel } = machine;
    const { networking } = await bootInSwarm(machine);
    const request = taskOf('t', endpointOn(INGRESS, '10.0.0.5/24'), endpointOn(NET, '10.0.1.5/24'));
    const state = await networking.setUp(request);
    const namespace = '/run/netns/ov-ingress-netw';
    await kernel.run([{ op: 'namespace-remove', path: namespace }]);
    expect(kernel.at(state.netnsPath).links.has('eth0')).toBe(false);

    const next = await machine.boot();
    await next.networking.restore([{ request, state }]);
    await next.overlays.configure(DATA_PATH);
    await next.tables.update(swarmUpdate(7n));
    const inside = kernel.at(state.netnsPath);
    expect(inside.addresses).toContainEqual({ link: 'eth0', address: '10.0.0.5/24' });
    expect(inside.rules).toEqual([{ from: '10.0.0.5/32', table: 100, priority: 1_000 }]);
    const ports = [...kernel.at(namespace).links.values()].filter(({ kind }) => kind === 'veth');
    expect(ports.some(({ master }) => master === 'br0')).toBe(true);
  });

  it('serves a container whose bridge was removed, once that is made again', async () => {
    const machine = new SimMachine();
    const { kernel } = machine;
    const { networking } = await bootInSwarm(machine);
    const request = taskOf('t', endpointOn(NET, '10.0.1.5/24'));
    const state = await networking.setUp(request);
    const space = kernel.at('/run/netns/ov-net');
    space.removeLink('br0');

    const next = await machine.boot();
    const served: string[] = [];
    next.serveContainers({
      name: 'reader',
      added: async ({ networks }) => void served.push(networks.map(({ link }) => link).join()),
      changed: async () => {},
      removed: async () => {},
    });
    await next.networking.restore([{ request, state }]);
    expect(served).toEqual([]);
    await next.overlays.configure(DATA_PATH);
    await next.tables.update(swarmUpdate(7n));
    expect(served).toEqual(['eth0']);
    const port = [...space.links.values()].find(({ kind }) => kind === 'veth');
    expect(port?.master).toBe('br0');
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
    const machine = new SimMachine();
    const network = await bootInSwarm(machine);
    await network.networking.setUp(plain('a'));
    await network.networking.setUp(taskOf('t', endpointOn(INGRESS, '10.0.0.5/24')));
    await network.close({ removeAll: true });
    expect([...machine.kernel.namespaces.keys()]).toEqual([HOST]);
    expect([...machine.kernel.host.links.keys()]).toEqual(['lo', 'up0']);
    expect(machine.kernel.host.tables.names()).toEqual([]);
    expect(machine.holder.held.size).toBe(0);
  });

  it('hears of a firewall that comes later, and of its end', async () => {
    const machine = new SimMachine();
    const network = await machine.boot();
    await network.networking.restore([]);
    const { kernel, clock } = machine;
    const change = async () => {
      const layout = { sets: {}, chains: {} };
      const replace = { kind: 'table-replace', table: 'own', layout } as const;
      await kernel.run([{ op: 'nft', namespace: HOST, changes: [replace] }]);
      await clock.advance(HOST_COMPARE_MS);
    };
    const chain = { family: 'inet', table: 'own', chain: 'forward', hook: 'forward' };
    kernel.foreignChains.push({ ...chain, policy: 'drop' });
    await change();
    expect(network.warnings().join()).toContain('chain inet own forward drops');
    kernel.foreignChains.length = 0;
    await change();
    expect(network.warnings()).toEqual([]);
    await network.close();
    expect(clock.pendingTimers).toBe(0);
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
