import { describe, expect, it } from 'vitest';
import { SimRefusal } from '../kernel/simulated/refusal.js';
import { OVERLAY_COMPARE_MS } from '../limits.js';
import {
  bootInSwarm,
  DATA_PATH,
  endpointOn,
  INGRESS,
  NET,
  SimMachine,
  swarmUpdate,
  taskOf,
} from '../network.sim.js';
import { endpointOf, networkOf, nodeOf, updateOf } from '../tables/objects.sim.js';

const SPACE = '/run/netns/ov-net';
const never = new AbortController().signal;

/** This node is n1; n2 is a Skep, n3 a Docker Engine. */
const NODES = [nodeOf('n1'), nodeOf('n2'), nodeOf('n3', { ownAgent: false })];
const ENDPOINTS = [
  endpointOf('t1'),
  endpointOf('t2', { nodeId: 'n2' }),
  endpointOf('t3', { nodeId: 'n3' }),
];
const ROWS = { nodes: NODES, endpoints: ENDPOINTS };

async function inSwarm(rows = ROWS) {
  const machine = new SimMachine();
  const network = await bootInSwarm(machine);
  await network.tables.update(swarmUpdate(2n, rows));
  return { machine, network, kernel: machine.kernel };
}

const arp = (machine: SimMachine, space = SPACE) =>
  Object.fromEntries(
    machine.kernel
      .at(space)
      .tunnelEntries()
      .neighbours.map(({ address, mac }) => [address, mac]),
  );
const fdb = (machine: SimMachine, space = SPACE) =>
  Object.fromEntries(
    machine.kernel
      .at(space)
      .tunnelEntries()
      .forwarding.map(({ mac, tunnelAddress }) => [mac, tunnelAddress]),
  );

describe('an overlay network', () => {
  it('has a bridge with the node’s and the gateway’s address, and a tunnel', async () => {
    const { kernel } = await inSwarm();
    const space = kernel.at(SPACE);
    expect(space.link('br0')).toMatchObject({
      up: true,
      mac: '02:42:0a:00:01:02',
      mtuBytes: 1_350,
    });
    expect(space.link('vxlan0')).toMatchObject({
      up: true,
      master: 'br0',
      mtuBytes: 1_350,
      vxlan: { vni: 4_097, udpPort: 4_789, localAddress: '192.0.2.2', underlay: '' },
    });
    expect(space.addresses).toEqual([
      { link: 'br0', address: '10.0.1.2/24' },
      { link: 'br0', address: '10.0.1.1/24' },
    ]);
  });

  it('knows the containers of other nodes, and where they are', async () => {
    const { machine } = await inSwarm();
    expect(arp(machine)).toEqual({
      '10.0.1.3': '02:42:0a:00:01:03',
      '10.0.1.4': '02:42:0a:00:01:04',
      '10.0.1.12': '02:42:0a:00:01:0c',
      '10.0.1.13': '02:42:0a:00:01:0d',
    });
    expect(fdb(machine)).toEqual({
      '02:42:0a:00:01:03': '192.168.9.2',
      '02:42:0a:00:01:04': '192.168.9.3',
      '02:42:0a:00:01:0c': '192.168.9.2',
      '02:42:0a:00:01:0d': '192.168.9.3',
    });
  });

  it('reaches tasks behind the routing mesh through their nodes, where these are ours', async () => {
    const at = { networkId: INGRESS.id };
    const nodes = NODES.map((node, place) => {
      return { ...node, ...at, address: `10.0.0.${2 + place}/24` };
    });
    const endpoints = [
      endpointOf('t2', { ...at, nodeId: 'n2', addresses: ['10.0.0.12/24'] }),
      endpointOf('t3', { ...at, nodeId: 'n3', addresses: ['10.0.0.13/24'] }),
    ];
    const { machine } = await inSwarm({ nodes, endpoints });
    const space = '/run/netns/ov-ingress-netw';
    expect(arp(machine, space)['10.0.0.12']).toBe('02:42:0a:00:00:03');
    expect(arp(machine, space)['10.0.0.13']).toBe('02:42:0a:00:00:0d');
    expect(fdb(machine, space)['02:42:0a:00:00:0c']).toBeUndefined();
    expect(fdb(machine, space)['02:42:0a:00:00:0d']).toBe('192.168.9.3');
  });

  it('follows containers that come, go and move, in one round trip each', async () => {
    const { machine, network, kernel } = await inSwarm();
    const before = kernel.batches;
    const moved = endpointOf('t3', { nodeId: 'n2' });
    await network.tables.update(
      updateOf(3n, { endpoints: [moved, endpointOf('t4', { nodeId: 'n3' })] }),
    );
    expect(fdb(machine)['02:42:0a:00:01:0d']).toBe('192.168.9.2');
    expect(fdb(machine)['02:42:0a:00:01:0e']).toBe('192.168.9.3');
    expect(kernel.batches - before).toBe(1);
    const gone = [{ table: 'endpoint', networkId: 'net', id: 't4' } as const];
    await network.tables.update(updateOf(4n, { gone }));
    expect(arp(machine)['10.0.1.14']).toBeUndefined();
  });

  it('follows a node that gets another address for its tunnels, and one that goes', async () => {
    const { machine, network } = await inSwarm();
    const nodes = [nodeOf('n2', { tunnelAddress: '192.168.9.77' })];
    await network.tables.update(updateOf(3n, { nodes }));
    expect(fdb(machine)['02:42:0a:00:01:0c']).toBe('192.168.9.77');
    const gone = [{ table: 'node', networkId: 'net', id: 'n2' } as const];
    await network.tables.update(updateOf(4n, { gone }));
    expect(Object.values(fdb(machine))).not.toContain('192.168.9.77');
  });

  it('leaves out a node that its tunnels cannot reach: one by IPv6', async () => {
    const nodes = [nodeOf('n1'), nodeOf('n2', { tunnelAddress: 'fd00::2' }), nodeOf('n3')];
    const { machine } = await inSwarm({ nodes, endpoints: ENDPOINTS });
    expect(new Set(Object.values(fdb(machine)))).toEqual(new Set(['192.168.9.3']));
  });

  it('is as large as Docker makes it of what its owner says, else as what is below allows', async () => {
    const { kernel, network } = await inSwarm();
    const own = networkOf('own', { mtuBytes: 1_200 });
    own.subnets = [{ subnet: '10.0.5.0/24', gateway: '10.0.5.1', vni: 4_200 }];
    await network.tables.update(updateOf(3n, { networks: [own] }));
    expect(kernel.at('/run/netns/ov-own').link('br0').mtuBytes).toBe(1_150);
  });
});

describe('a network that goes', () => {
  const networks = { networks: [INGRESS] };

  it('is removed', async () => {
    const { kernel, network } = await inSwarm();
    await network.tables.update(swarmUpdate(3n, networks));
    expect(kernel.namespaces.has(SPACE)).toBe(false);
    expect(network.overlays.list().map(({ name }) => name)).toEqual(['ingress']);
  });

  it('waits for the last container on it', async () => {
    const { kernel, network } = await inSwarm();
    await network.networking.setUp(taskOf('t', endpointOn(NET, '10.0.1.11/24')));
    await network.tables.update(swarmUpdate(3n, networks));
    expect(kernel.namespaces.has(SPACE)).toBe(true);
    await network.networking.tearDown('t');
    await network.tables.update(swarmUpdate(4n, networks));
    expect(kernel.namespaces.has(SPACE)).toBe(false);
  });
});

describe('after a restart', () => {
  async function again() {
    const before = await inSwarm();
    await before.network.close();
    const network = await before.machine.boot();
    await network.networking.restore([]);
    return { ...before, network };
  }

  it('nothing is touched before the swarm has spoken', async () => {
    const { kernel, network, machine } = await again();
    const tunnel = kernel.at(SPACE).link('vxlan0');
    await network.overlays.configure(DATA_PATH);
    await machine.clock.advance(OVERLAY_COMPARE_MS);
    expect(kernel.at(SPACE).link('vxlan0')).toBe(tunnel);
    expect(Object.keys(arp(machine))).toHaveLength(4);
    await expect(network.overlays.whenReady('net', never)).resolves.toMatchObject({
      nodeAddress: '10.0.1.2/24',
      mtuBytes: 1_350,
      segments: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1', bridge: 'br0', tunnel: 'vxlan0' }],
    });
  });

  it('the difference alone is changed', async () => {
    const { kernel, network, machine } = await again();
    const tunnel = kernel.at(SPACE).link('vxlan0');
    const seen: string[] = [];
    kernel.refuse = ({ op }) => void seen.push(op);
    await network.overlays.configure(DATA_PATH);
    await network.tables.update(
      swarmUpdate(9n, { nodes: NODES, endpoints: ENDPOINTS.slice(0, 2) }),
    );
    expect(seen.filter((op) => /vxlan|bridge|fdb|neighbour|namespace/.test(op)).sort()).toEqual([
      'fdb-remove',
      'neighbour-remove',
    ]);
    expect(kernel.at(SPACE).link('vxlan0')).toBe(tunnel);
    expect(arp(machine)['10.0.1.13']).toBeUndefined();
  });

  it('networks that the swarm has no more are removed, known or not', async () => {
    const { kernel, network } = await again();
    await kernel.run([{ op: 'namespace-add', path: '/run/netns/ov-stray' }]);
    await network.overlays.configure(DATA_PATH);
    await network.tables.update(updateOf(9n, { complete: true }));
    const overlays = [...kernel.namespaces.keys()].filter((path) => path.includes('/ov-'));
    expect(overlays).toEqual([]);
  });
});

describe('what somebody else changes', () => {
  it('is put right at the next comparison, and counted', async () => {
    const { kernel, network, machine } = await inSwarm();
    const expected = [arp(machine), fdb(machine)];
    const space = kernel.at(SPACE);
    space.removeLink('vxlan0');
    space.changeLink('br0', { up: false });
    await machine.clock.advance(OVERLAY_COMPARE_MS);
    expect([arp(machine), fdb(machine)]).toEqual(expected);
    expect(space.link('br0').up).toBe(true);
    const summary = network.overlays.list().find(({ id }) => id === 'net');
    expect(summary?.divergence).toBe(2 + Object.keys({ ...expected[0], ...expected[1] }).length);
    expect(network.overlays.repairs).toBe(summary?.divergence);
    await machine.clock.advance(OVERLAY_COMPARE_MS);
    expect(network.overlays.list().find(({ id }) => id === 'net')?.divergence).toBe(0);
  });

  it('is put right at once when a change meets it', async () => {
    const { kernel, network, machine } = await inSwarm();
    kernel.at(SPACE).removeLink('vxlan0');
    const endpoints = [endpointOf('t4', { nodeId: 'n3' })];
    await network.tables.update(updateOf(3n, { endpoints }));
    expect(Object.keys(arp(machine))).toHaveLength(5);
  });
});

describe('a network that cannot be made', () => {
  it.each([
    ['EOPNOTSUPP', 'this kernel has no VXLAN (module vxlan)'],
    ['EEXIST', 'VXLAN identifier 4097 on UDP port 4789 of this host is taken by another program'],
    ['EADDRINUSE', 'UDP port 4789 of this host, for VXLAN, is taken by another program'],
    ['EPERM', 'vxlan-add: no'],
  ])('says why: %s', async (code, reason) => {
    const machine = new SimMachine();
    machine.kernel.refuse = (command) => {
      if (command.op === 'vxlan-add') throw new SimRefusal(code, 'no');
    };
    const { overlays, warnings } = await bootInSwarm(machine);
    const text = `network net cannot be made on this node: ${reason}`;
    await expect(overlays.whenReady('net', never)).rejects.toThrow(text);
    expect(warnings()).toContain(text);
    expect(machine.kernel.namespaces.has(SPACE)).toBe(false);
    machine.kernel.refuse = undefined;
    await expect(overlays.whenReady('net', never)).resolves.toBeDefined();
    expect(warnings()).not.toContain(text);
  });

  it('is tried again when something changes in it', async () => {
    const { network, kernel } = await inSwarm();
    kernel.refuse = ({ op }) => {
      if (op === 'fdb-add') throw new SimRefusal('ENOMEM', 'no');
    };
    await network.tables.update(updateOf(3n, { endpoints: [endpointOf('t5', { nodeId: 'n3' })] }));
    expect(network.overlays.list().map(({ failure }) => failure)[1]).toContain('fdb-add: no');
    kernel.refuse = undefined;
    await network.tables.update(updateOf(4n, { endpoints: [endpointOf('t6', { nodeId: 'n3' })] }));
    expect(network.overlays.list().map(({ failure }) => failure)).toEqual([undefined, undefined]);
  });

  it('is refused rather than sent in the clear where it is to be encrypted', async () => {
    const { network, kernel } = await inSwarm();
    kernel.host.security.hasEsp = false;
    const secret = networkOf('secret', { encrypted: true });
    await network.tables.update(updateOf(3n, { networks: [secret] }));
    await expect(network.overlays.whenReady('secret', never)).rejects.toThrow(
      'network secret cannot be made on this node: its packets are to be encrypted: ' +
        'its kernel has neither WireGuard nor /dev/net/tun',
    );
  });

  it('keeps nobody waiting longer than they want', async () => {
    const { network } = await inSwarm();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(network.overlays.whenReady('unknown', signal)).rejects.toThrow('enough');
  });
});

describe('warnings', () => {
  it('name routes of the host that a network hides, and a firewall that may keep others out', async () => {
    const machine = new SimMachine();
    const chain = { family: 'inet', table: 'filter', chain: 'input', hook: 'input' };
    machine.kernel.foreignChains.push({ ...chain, policy: 'drop' });
    machine.kernel.host.addRoute({ destination: '10.0.0.0/16', gateway: '192.0.2.1' });
    const { warnings } = await bootInSwarm(machine);
    expect(warnings().join('\n')).toContain(
      "subnet 10.0.1.0/24 of network net overlaps this host's route 10.0.0.0/16 by up0",
    );
    expect(warnings().join('\n')).toContain("the firewall's chain inet filter input keeps out");
  });
});
