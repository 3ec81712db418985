import { describe, expect, it } from 'vitest';
import { SimRefusal } from '../kernel/simulated/refusal.js';
import { bootInSwarm, endpointOn, INGRESS, plain, SimMachine, taskOf } from '../network.sim.js';

async function started() {
  const machine = new SimMachine();
  const network = await machine.boot();
  await network.networking.restore([]);
  return { machine, network, kernel: machine.kernel };
}

const bound = async (machine: SimMachine, set: string) =>
  Object.fromEntries((await machine.kernel.tableElements('', 'skep'))?.get(set) ?? []);

describe('setUp', () => {
  it('puts a plain container on the default bridge, in one round trip', async () => {
    const { machine, network, kernel } = await started();
    const before = kernel.batches;
    const ports = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] };
    const state = await network.networking.setUp(plain('a', { ports }));
    expect(kernel.batches - before).toBe(1);
    expect(state.endpoints['bridge']).toMatchObject({
      IPAddress: '172.17.0.2',
      IPPrefixLen: 16,
      Gateway: '172.17.0.1',
      MacAddress: '02:42:ac:11:00:02',
    });
    const inside = kernel.at(state.netnsPath);
    expect(inside.link('eth0')).toMatchObject({
      up: true,
      mac: '02:42:ac:11:00:02',
      mtuBytes: 1_400,
    });
    expect(inside.link('lo').up).toBe(true);
    expect(inside.routes).toMatchObject([{ destination: 'default', gateway: '172.17.0.1' }]);
    expect(await bound(machine, 'bound')).toEqual({ 'tcp . 8080': '172.17.0.2 . 80' });
    expect(machine.holder.held).toEqual(new Set(['tcp 8080 0.0.0.0']));
  });

  it('gives a task its swarm interface, then the way out, and a way for answers', async () => {
    const machine = new SimMachine();
    const { kernel } = machine;
    const { networking } = await bootInSwarm(machine);
    const state = await networking.setUp(taskOf('t', endpointOn(INGRESS, '10.0.0.5/24')));
    expect(Object.keys(state.endpoints)).toEqual(['ingress']);
    const inside = kernel.at(state.netnsPath);
    expect(inside.addresses).toEqual([
      { link: 'eth0', address: '10.0.0.5/24' },
      { link: 'eth1', address: '172.18.0.2/16' },
    ]);
    expect(inside.rules).toMatchObject([{ from: '10.0.0.5/32', table: 100 }]);
    expect(inside.routes).toContainEqual({
      destination: 'default',
      gateway: '10.0.0.2',
      link: 'eth0',
      table: 100,
    });
    const port = [...kernel.host.links.values()].find(({ master }) => master === 'skep_gw');
    expect(port?.isolated).toBe(true);
  });

  it('gives a task without swarm networks the default bridge', async () => {
    const { network } = await started();
    const state = await network.networking.setUp(plain('t', { mode: 'task' }));
    expect(Object.keys(state.endpoints)).toEqual(['bridge']);
  });

  it('makes nothing for host, and no interface for none', async () => {
    const { network, kernel } = await started();
    const host = await network.networking.setUp(plain('h', { mode: 'host' }));
    expect(host).toMatchObject({ netnsPath: '', ports: {} });
    const none = await network.networking.setUp(plain('n', { mode: 'none' }));
    expect([...kernel.at(none.netnsPath).links.keys()]).toEqual(['lo']);
    await network.networking.tearDown('h');
    expect(kernel.namespaces.has('')).toBe(true);
  });

  it('leaves nothing behind when the kernel refuses a step', async () => {
    const { machine, network, kernel } = await started();
    kernel.refuse = (command) => {
      if (command.op === 'route-add') throw new SimRefusal('EPERM', 'no');
    };
    const ports = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] };
    await expect(network.networking.setUp(plain('a', { ports }))).rejects.toThrow('route-add: no');
    expect([...kernel.namespaces.keys()]).toEqual(['']);
    expect([...kernel.host.links.keys()].filter((link) => link.startsWith('skepv'))).toEqual([]);
    expect(await bound(machine, 'bound')).toEqual({});
    expect(machine.holder.held.size).toBe(0);
    kernel.refuse = undefined;
    await expect(network.networking.setUp(plain('a', { ports }))).resolves.toBeDefined();
  });

  it('applies the sysctls a container asks for last', async () => {
    const { network, kernel } = await started();
    const sysctls = { 'net.ipv4.ip_unprivileged_port_start': '0' };
    const state = await network.networking.setUp(plain('a', { sysctls }));
    const applied = kernel.at(state.netnsPath).sysctls;
    expect(applied.get('net.ipv4.ip_unprivileged_port_start')).toBe('0');
  });

  it('refuses a swarm network this node does not have', async () => {
    const { machine, network } = await started();
    const task = taskOf('t', endpointOn(INGRESS, '10.0.0.5/24'));
    const refused = expect(network.networking.setUp(task)).rejects.toThrow(
      'network ingress not found on this node',
    );
    await machine.clock.advance(10_000);
    await refused;
  });
});

describe('tearDown', () => {
  it('removes everything, and is content when there is nothing', async () => {
    const { machine, network, kernel } = await started();
    const at = [{ HostIp: '', HostPort: '8080' }];
    await network.networking.setUp(plain('a', { ports: { '80/tcp': at, '53/udp': at } }));
    await network.networking.tearDown('a');
    await network.networking.tearDown('a');
    expect([...kernel.namespaces.keys()]).toEqual(['']);
    expect(await bound(machine, 'bound')).toEqual({});
    expect(machine.holder.held.size).toBe(0);
    expect(kernel.forgotten).toContainEqual({
      namespace: '',
      match: { replySource: '172.17.0.2' },
    });
  });

  it('removes the namespace also when rules were taken away by somebody', async () => {
    const { network, kernel } = await started();
    const ports = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] };
    await network.networking.setUp(plain('a', { ports }));
    kernel.host.tables.apply([{ kind: 'table-remove', table: 'skep' }]);
    await network.networking.tearDown('a');
    expect([...kernel.namespaces.keys()]).toEqual(['']);
  });
});
