import {
  EndpointSpec_ResolutionMode,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import {
  clusterOf,
  ingressOf,
  networkOf,
  nodeOf,
  serviceOf,
  taskOf,
} from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { Allocator } from './allocator.js';
import { PLACED_RETRY_MS } from './limits.js';

async function room(cluster = clusterOf()) {
  const sim = new SimRoom();
  await sim.put('cluster', cluster);
  const allocator = new Allocator(sim.options);
  allocator.start();
  await sim.settle();
  return { sim, allocator };
}

const published = (...ports: object[]) => ({ endpoint: { ports } });

describe('Allocator', () => {
  it('gives the mesh the first subnet, whatever else was stored before it', async () => {
    const sim = new SimRoom();
    await sim.put('network', networkOf('a', { driverConfig: { name: 'overlay' } }), ingressOf());
    new Allocator(sim.options).start();
    await sim.settle();
    const ingress = sim.get('network', 'ingress');
    expect(ingress.driverState?.name).toBe('overlay');
    expect(Object.values(ingress.driverState?.options ?? {})).toEqual(['4096']);
    expect(ingress.ipam?.driver?.name).toBe('default');
    expect(ingress.ipam?.configs[0]).toMatchObject({ subnet: '10.0.0.0/24', gateway: '10.0.0.1' });
    expect(sim.get('network', 'a').ipam?.configs[0]?.subnet).toBe('10.0.1.0/24');
  });

  it('gives each node its address in the mesh', async () => {
    const { sim } = await room();
    await sim.put('node', nodeOf('n1'), nodeOf('n2'));
    await sim.put('network', ingressOf());
    const addresses = ['n1', 'n2'].map((id) => sim.get('node', id).attachments[0]?.addresses);
    expect(addresses).toEqual([['10.0.0.2/24'], ['10.0.0.3/24']]);
  });

  it('sends a task without networks or ports on at once', async () => {
    const { sim } = await room();
    await sim.put('service', serviceOf('s'));
    await sim.put('task', taskOf('t', { serviceId: 's', slot: 1n }));
    const { status, networks } = sim.get('task', 't');
    expect(status.state).toBe(TaskState.PENDING);
    expect(status.message).toBe('pending task scheduling');
    expect(networks).toEqual([]);
  });

  it('gives a service that publishes ports its address, its numbers, and tasks all of it', async () => {
    const { sim } = await room();
    await sim.put('network', ingressOf());
    await sim.put(
      'service',
      serviceOf('s', published({ targetPort: 80 }, { targetPort: 81, publishedPort: 8081 })),
    );
    await sim.put('task', taskOf('t', { serviceId: 's', slot: 1n }));
    const { endpoint } = sim.get('service', 's');
    expect(endpoint?.ports.map((port) => port.publishedPort)).toEqual([30000, 8081]);
    expect(endpoint?.virtualIps[0]).toMatchObject({ networkId: 'ingress', addr: '10.0.0.2/24' });
    expect(endpoint?.spec?.ports[0]?.publishedPort).toBe(0);
    const task = sim.get('task', 't');
    expect(task.networks[0]).toMatchObject({ addresses: ['10.0.0.3/24'] });
    expect(task.networks[0]?.network?.driverState?.name).toBe('overlay');
    expect(task.endpoint?.ports).toEqual(endpoint?.ports);
  });

  it('chooses no port that carries the overlay networks', async () => {
    const { sim } = await room(clusterOf({ VXLANUDPPort: 30_000 }));
    await sim.put('network', ingressOf());
    const ports = [PortConfig_Protocol.UDP, PortConfig_Protocol.TCP].map((protocol) => {
      return { protocol, targetPort: 53 };
    });
    await sim.put('service', serviceOf('s', published(...ports)));
    const given = sim.get('service', 's').endpoint?.ports.map((port) => port.publishedPort);
    expect(given).toEqual([30_001, 30_000]);
  });

  it('keeps a dynamic port when the service is updated, and frees what it no longer publishes', async () => {
    const { sim, allocator } = await room();
    await sim.put('network', ingressOf());
    await sim.put('service', serviceOf('s', published({ targetPort: 80 }, { targetPort: 90 })));
    const spec = serviceOf('s', published({ targetPort: 70 }, { targetPort: 90 })).spec;
    await sim.change('service', 's', () => ({ spec }));
    const ports = sim.get('service', 's').endpoint?.ports ?? [];
    expect(ports.map((port) => [port.targetPort, port.publishedPort])).toEqual([
      [70, 30000],
      [90, 30001],
    ]);
    await sim.change('service', 's', () => ({ spec: serviceOf('s').spec }));
    expect(sim.get('service', 's').endpoint?.virtualIps).toEqual([]);
    expect(allocator.describe()).toHaveLength(1);
  });

  it('passes host-mode ports through and needs no mesh for them', async () => {
    const { sim } = await room();
    const publishMode = PortConfig_PublishMode.HOST;
    await sim.put('service', serviceOf('s', published({ targetPort: 80, publishMode })));
    expect(sim.get('service', 's').endpoint?.ports[0]?.publishedPort).toBe(0);
  });

  it('gives no virtual address to a service resolved by its tasks', async () => {
    const { sim } = await room();
    await sim.put('network', networkOf('net'));
    const endpoint = { mode: EndpointSpec_ResolutionMode.DNSRR };
    const task = { networks: [{ target: 'net', aliases: ['web'] }] };
    await sim.put('service', serviceOf('s', { endpoint, task }));
    await sim.put('task', taskOf('t', { serviceId: 's', spec: task, nodeId: 'n' }));
    expect(sim.get('service', 's').endpoint?.virtualIps).toEqual([]);
    expect(sim.get('task', 't').networks[0]).toMatchObject({
      addresses: ['10.0.0.2/24'],
      aliases: ['web'],
    });
  });

  it('tells a task why it waits, and goes on when the reason is gone', async () => {
    const { sim } = await room();
    await sim.put('network', ingressOf());
    const web = published({ targetPort: 80, publishedPort: 80 });
    await sim.put('service', serviceOf('s1', web), serviceOf('s2', web));
    await sim.put('task', taskOf('t', { serviceId: 's2' }));
    expect(sim.get('task', 't').status.state).toBe(TaskState.NEW);
    expect(sim.get('task', 't').status.err).toBe(
      'port 80/tcp is already in use by another service',
    );
    await sim.remove('service', 's1');
    expect(sim.get('service', 's2').endpoint?.ports[0]?.publishedPort).toBe(80);
    expect(sim.get('task', 't').status).toMatchObject({ state: TaskState.PENDING, err: '' });
  });

  it('gives out an address again only after all others', async () => {
    const { sim } = await room();
    const configs = [{ subnet: '10.9.0.0/29' }];
    await sim.put('network', networkOf('tiny', { ipam: { configs } }));
    const spec = { networks: [{ target: 'tiny' }] };
    const seen: (string | undefined)[] = [];
    for (let at = 0; at < 7; at++) {
      await sim.put('task', taskOf(`t${at}`, { spec }));
      seen.push(sim.get('task', `t${at}`).networks[0]?.addresses[0]?.slice(7, 8));
      await sim.change('task', `t${at}`, ({ status }) => ({
        status: { ...status, state: TaskState.FAILED },
      }));
    }
    expect(seen).toEqual(['2', '3', '4', '5', '6', '2', '3']);
  });

  it('attaches a node to the networks its tasks use, as long as they do', async () => {
    const { sim, allocator } = await room();
    await sim.put('node', nodeOf('n1'));
    await sim.put('network', networkOf('net'));
    const before = allocator.describe();
    await sim.put('task', taskOf('t', { spec: { networks: [{ target: 'net' }] } }));
    await sim.change('task', 't', () => ({ nodeId: 'n1' }));
    expect(sim.get('node', 'n1').attachments[0]).toMatchObject({ addresses: ['10.0.0.3/24'] });
    await sim.remove('task', 't');
    expect(sim.get('node', 'n1').attachments).toEqual([]);
    expect(allocator.describe()).toEqual(before);
  });

  it('lets predefined networks through without addresses', async () => {
    const { sim } = await room();
    await sim.put('network', networkOf('host', { driverConfig: { name: 'host' } }));
    await sim.put('task', taskOf('t', { spec: { networks: [{ target: 'host' }] } }));
    expect(sim.get('network', 'host').ipam?.driver).toBeDefined();
    expect(sim.get('task', 't').networks[0]).toMatchObject({ addresses: [] });
    expect(sim.get('task', 't').status.state).toBe(TaskState.PENDING);
  });

  it('attaches the node of a task that was made for it', async () => {
    const { sim } = await room();
    await sim.put('node', nodeOf('n1'));
    await sim.put('network', networkOf('net'));
    await sim.put('task', taskOf('t', { nodeId: 'n1', spec: { networks: [{ target: 'net' }] } }));
    expect(sim.get('task', 't').networks[0]?.addresses).toEqual(['10.0.0.2/24']);
    expect(sim.get('node', 'n1').attachments[0]?.addresses).toEqual(['10.0.0.3/24']);
  });

  it('tells a task that its network is full, and goes on when it is not any more', async () => {
    const { sim } = await room();
    await sim.put('network', networkOf('tiny', { ipam: { configs: [{ subnet: '10.9.0.0/29' }] } }));
    const spec = { networks: [{ target: 'tiny' }] };
    const tasks = Array.from({ length: 6 }, (_, at) => taskOf(`t${at}`, { spec }));
    await sim.put('task', ...tasks);
    const { status } = sim.get('task', 't5');
    expect(status.state).toBe(TaskState.NEW);
    expect(status.err).toBe('network tiny is full: 6 of 6 addresses in use');
    await sim.remove('task', 't2');
    expect(sim.get('task', 't5').status).toMatchObject({ state: TaskState.PENDING, err: '' });
    expect(sim.get('task', 't5').networks[0]?.addresses).toEqual(['10.9.0.4/29']);
  });

  it('keeps addresses for the nodes that tasks will need, and gives them out when they do not', async () => {
    const { sim } = await room();
    await sim.put('node', nodeOf('n1'), nodeOf('n2'), nodeOf('n3'));
    await sim.put('network', networkOf('tiny', { ipam: { configs: [{ subnet: '10.9.0.0/28' }] } }));
    const spec = { networks: [{ target: 'tiny' }] };
    const ids = Array.from({ length: 13 }, (_, at) => `t${at}`);
    await sim.put('task', ...ids.map((id) => taskOf(id, { spec })));
    const given = () => ids.filter((id) => sim.get('task', id).networks.length > 0);
    const errors = () => new Set(ids.map((id) => sim.get('task', id).status.err));
    expect(given()).toHaveLength(10);
    expect(errors()).toEqual(new Set(['', 'network tiny is full: 14 of 14 addresses in use']));
    for (const id of given()) await sim.change('task', id, () => ({ nodeId: 'n1' }));
    await sim.clock.advance(PLACED_RETRY_MS);
    expect(given()).toHaveLength(11);
    expect(sim.get('node', 'n1').attachments).toHaveLength(1);
    // The next might go to another node: for it and for that there must be room.
    await sim.change('task', 't10', () => ({ nodeId: 'n1' }));
    await sim.clock.advance(PLACED_RETRY_MS);
    expect(given()).toHaveLength(11);
    const used = [
      ...ids.flatMap((id) => sim.get('task', id).networks),
      ...sim.get('node', 'n1').attachments,
    ];
    expect(new Set(used.flatMap(({ addresses }) => addresses)).size).toBe(12);
  });

  it('tells tasks when the network has no address for their service', async () => {
    const { sim } = await room();
    await sim.put('network', networkOf('tiny', { ipam: { configs: [{ subnet: '10.9.0.0/29' }] } }));
    const task = { networks: [{ target: 'tiny' }] };
    const others = Array.from({ length: 5 }, (_, at) => taskOf(`t${at}`, { spec: task }));
    await sim.put('task', ...others);
    await sim.put('service', serviceOf('s', { task }));
    await sim.put('task', taskOf('mine', { serviceId: 's', spec: task }));
    expect(sim.get('task', 'mine').status.err).toBe(
      'network tiny is full: 6 of 6 addresses in use',
    );
  });

  it('gives a service an address in a network that it joins later, before its tasks go there', async () => {
    const { sim } = await room();
    await sim.put('network', networkOf('one'), networkOf('two'));
    const on = (...targets: string[]) => ({ networks: targets.map((target) => ({ target })) });
    await sim.put('service', serviceOf('s', { task: on('one') }));
    await sim.change('service', 's', () => ({
      spec: serviceOf('s', { task: on('one', 'two') }).spec,
    }));
    await sim.put('task', taskOf('t', { serviceId: 's', spec: on('one', 'two') }));
    const networksOf = (ips: readonly { networkId: string }[] | undefined) =>
      ips?.map(({ networkId }) => networkId);
    expect(networksOf(sim.get('service', 's').endpoint?.virtualIps)).toEqual(['one', 'two']);
    expect(networksOf(sim.get('task', 't').endpoint?.virtualIps)).toEqual(['one', 'two']);
    await sim.change('service', 's', () => ({ spec: serviceOf('s', { task: on('two') }).spec }));
    expect(networksOf(sim.get('service', 's').endpoint?.virtualIps)).toEqual(['two']);
  });

  it.each([
    ['10.9.0.1', 'Address already in use: 10.9.0.1 in network net'],
    ['10.8.0.1', 'Requested address is out of range: 10.8.0.1 is in no subnet of network net'],
    ['10.9.0.255', 'Address already in use: 10.9.0.255 in network net'],
    ['fd00::1', 'invalid IPv4 address: fd00::1'],
  ])('says why an address cannot be had by name: %s', async (address, reason) => {
    const { sim } = await room();
    await sim.put('network', networkOf('net', { ipam: { configs: [{ subnet: '10.9.0.0/24' }] } }));
    const spec = { networks: [{ target: 'net', addresses: [address] }] };
    await sim.put('task', taskOf('t', { spec }));
    expect(sim.get('task', 't').status).toMatchObject({ state: TaskState.NEW, err: reason });
  });

  it('hands out addresses of the range alone, and any other of the subnet by name', async () => {
    const { sim } = await room();
    const configs = [{ subnet: '10.9.0.0/24', range: '10.9.0.128/30' }];
    await sim.put('network', networkOf('net', { ipam: { configs } }));
    expect(sim.get('network', 'net').ipam?.configs[0]?.gateway).toBe('10.9.0.128');
    const on = (...addresses: string[]) => ({ networks: [{ target: 'net', addresses }] });
    await sim.put('task', taskOf('named', { spec: on('10.9.0.7') }), taskOf('any', { spec: on() }));
    expect(sim.get('task', 'named').networks[0]?.addresses).toEqual(['10.9.0.7/24']);
    expect(sim.get('task', 'any').networks[0]?.addresses).toEqual(['10.9.0.129/24']);
  });

  it('takes the identifiers a network names, and hands out none of them', async () => {
    const { sim } = await room();
    const option = 'com.docker.network.driver.overlay.vxlanid_list';
    const named = (id: string, list: string) =>
      networkOf(id, { driverConfig: { name: 'overlay', options: { [option]: list } } });
    await sim.put('network', named('a', '4096'), named('b', '300'), networkOf('c'));
    const ids = ['a', 'b', 'c'].map((id) => sim.get('network', id).driverState?.options[option]);
    expect(ids).toEqual(['4096', '300', '4097']);
  });

  it('keeps new subnets clear of nodes, and of what this host has routes to', async () => {
    const sim = new SimRoom();
    await sim.put('node', nodeOf('n1', { status: { addr: '10.0.1.17' } }));
    const hostSubnets = () => ['0.0.0.0/0', '10.0.0.0/8', '10.0.0.128/25', 'fe80::/64'];
    new Allocator({ ...sim.options, hostSubnets }).start();
    await sim.put('network', ingressOf());
    expect(sim.get('network', 'ingress').ipam?.configs[0]?.subnet).toBe('10.0.2.0/24');
  });

  it('starts over from the store when the outcome of a write is lost', async () => {
    const sim = new SimRoom({ automatic: false });
    const allocator = new Allocator(sim.options);
    allocator.start();
    const stored = sim.store.update((tx) => void tx.create('network', ingressOf()));
    sim.proposer.commit();
    await stored;
    await sim.settle();
    sim.proposer.lose(new Error('leadership lost'));
    await sim.settle();
    expect(allocator.describe()).toEqual([]);
    await sim.clock.advance(100);
    sim.proposer.commit();
    await sim.settle();
    expect(sim.get('network', 'ingress').ipam?.configs[0]?.subnet).toBe('10.0.0.0/24');
  });
});
