import { describe, expect, it } from 'vitest';
import { SimRefusal } from '../kernel/simulated/refusal.js';
import {
  bootInSwarm,
  endpointOn,
  INGRESS,
  NET,
  plain,
  SimMachine,
  swarmUpdate,
  taskOf,
} from '../network.sim.js';
import { networkOf } from '../tables/objects.sim.js';
import type { AttachedSandbox, SandboxReader } from './contract.js';

const BACK = networkOf('back', {
  subnets: [
    { subnet: '10.0.2.0/24', gateway: '10.0.2.1', vni: 4_098 },
    { subnet: '10.0.3.0/24', gateway: '10.0.3.1', vni: 4_099 },
  ],
  internal: true,
  nodeAddress: '10.0.2.2/24',
});

/** Writes down what it is told. */
class Reader implements SandboxReader {
  readonly name = 'reader';
  readonly told: string[] = [];
  refuses = false;

  async added(sandbox: AttachedSandbox): Promise<void> {
    this.#tell('added', sandbox);
    if (this.refuses) throw new Error('cannot serve');
  }
  async changed(sandbox: AttachedSandbox): Promise<void> {
    this.#tell('changed', sandbox);
    if (this.refuses) throw new Error('cannot serve');
  }
  async removed(containerId: string): Promise<void> {
    this.told.push(`removed ${containerId}`);
  }

  #tell(what: string, { containerId, networks }: AttachedSandbox): void {
    const links = networks.map(({ networkName, link }) => `${networkName}=${link}`);
    this.told.push(`${what} ${containerId} ${links.join(' ')}`);
  }
}

async function started() {
  const machine = new SimMachine();
  const network = await bootInSwarm(machine);
  const reader = new Reader();
  network.serveContainers(reader);
  await network.tables.update(swarmUpdate(2n, { networks: [INGRESS, NET, BACK] }));
  const { networking } = network;
  const { kernel } = machine;
  const inside = (path: string) =>
    kernel.at(path).addresses.map(({ link, address }) => `${link} ${address}`);
  return { machine, network, networking, kernel, reader, inside };
}

const onNet = endpointOn(NET, '10.0.1.5/24', { aliases: ['db'] });
const onBack = endpointOn(BACK, '10.0.3.5/24');
const onIngress = endpointOn(INGRESS, '10.0.0.5/24');

describe('a container on several networks', () => {
  it('has the ingress network first, the others in order, and the way out last', async () => {
    const { networking, inside, kernel } = await started();
    const state = await networking.setUp(taskOf('t', onNet, onBack, onIngress));
    expect(inside(state.netnsPath)).toEqual([
      'eth0 10.0.0.5/24',
      'eth1 10.0.1.5/24',
      'eth2 10.0.3.5/24',
      'eth3 172.18.0.2/16',
    ]);
    const { routes } = kernel.at(state.netnsPath);
    expect(routes).toContainEqual({
      destination: '10.0.2.0/24',
      gateway: '10.0.3.1',
      link: 'eth2',
      table: 254,
    });
    expect(kernel.at(state.netnsPath).link('eth1').mtuBytes).toBe(1_350);
    const ports = [...kernel.at('/run/netns/ov-back').links.values()];
    expect(ports.find(({ kind }) => kind === 'veth')?.master).toBe('br1');
  });

  it('has no way out where all of them are internal', async () => {
    const { networking, inside, kernel } = await started();
    const state = await networking.setUp(taskOf('t', onBack));
    expect(inside(state.netnsPath)).toEqual(['eth0 10.0.3.5/24']);
    const { routes } = kernel.at(state.netnsPath);
    expect(routes.filter(({ destination }) => destination === 'default')).toEqual([]);
  });

  it('is where the bridge looks for it, as long as it is there', async () => {
    const { networking, kernel } = await started();
    await networking.setUp(taskOf('t', onNet));
    const port = [...kernel.at('/run/netns/ov-net').links.values()].at(-1);
    expect(port?.macs).toEqual(new Set(['02:42:0a:00:01:05']));
    await networking.tearDown('t');
    // The port goes when the kernel gets round to it.
    expect(port?.macs).toEqual(new Set());
  });

  it('is described with its names and addresses', async () => {
    const { networking } = await started();
    const request = taskOf('0123456789abcdef', onNet);
    request.names.hostname = 'host1';
    const endpoints = request.endpoints.map((endpoint) => ({
      ...endpoint,
      aliases: [...endpoint.aliases, '0123456789ab'],
    }));
    const state = await networking.setUp({ ...request, endpoints, name: '/web.1.x' });
    expect(state.endpoints['net']).toMatchObject({
      NetworkID: 'net',
      IPAddress: '10.0.1.5',
      IPPrefixLen: 24,
      MacAddress: '02:42:0a:00:01:05',
      Aliases: ['db'],
      DNSNames: ['web.1.x', 'db', '0123456789ab', 'host1'],
      IPAMConfig: { IPv4Address: '10.0.1.5' },
    });
    expect(state.nameservers).toEqual(['127.0.0.11']);
    const host = await networking.setUp(plain('p'));
    expect(host.nameservers).toEqual([]);
  });
});

describe('connect', () => {
  it('adds an interface, and the way out with the first network that has one', async () => {
    const { networking, inside } = await started();
    const { netnsPath } = await networking.setUp(taskOf('t', onBack));
    const record = await networking.connect('t', onNet);
    expect(inside(netnsPath)).toEqual([
      'eth0 10.0.3.5/24',
      'eth1 10.0.1.5/24',
      'eth2 172.18.0.2/16',
    ]);
    expect(record.request.endpoints).toEqual([onBack, onNet]);
    expect(Object.keys(record.state.endpoints)).toEqual(['back', 'net']);
    const other = await networking.disconnect('t', 'net');
    expect(inside(netnsPath)).toEqual(['eth0 10.0.3.5/24']);
    expect(Object.keys(other.state.endpoints)).toEqual(['back']);
    await networking.connect('t', onNet);
    expect(inside(netnsPath)).toHaveLength(3);
  });

  it('is told anew what a container is called', async () => {
    const { networking } = await started();
    const before = await networking.setUp(taskOf('t', onNet));
    const { request, state } = await networking.rename('t', 'crate');
    expect(request.name).toBe('crate');
    const [endpoint, other] = [before.endpoints['net'], state.endpoints['net']];
    expect(other?.DNSNames).toEqual(['crate', 'db', 't']);
    expect({ ...other, DNSNames: null }).toEqual({ ...endpoint, DNSNames: null });
    const again = await networking.disconnect('t', 'net');
    expect(again.request.name).toBe('crate');
    await expect(networking.rename('u', 'crate')).rejects.toThrow('no network of its own');
  });

  it('leaves a plain container on the default network', async () => {
    const { networking, inside } = await started();
    const { netnsPath } = await networking.setUp(plain('p'));
    const record = await networking.connect('p', onNet);
    expect(inside(netnsPath)).toEqual(['eth0 172.17.0.2/16', 'eth1 10.0.1.5/24']);
    expect(record.request.mode).toBe('bridge');
    expect(record.state.nameservers).toEqual(['127.0.0.11']);
    const { state } = await networking.disconnect('p', 'net');
    expect(state.nameservers).toEqual([]);
    expect(inside(netnsPath)).toEqual(['eth0 172.17.0.2/16']);
  });

  it('is the same after a restart of the daemon', async () => {
    const { machine, network, networking, inside } = await started();
    const { netnsPath } = await networking.setUp(plain('p'));
    const record = await networking.connect('p', onNet);
    const before = inside(netnsPath);
    await network.close();
    const next = await machine.boot();
    await next.networking.restore([record]);
    expect(inside(netnsPath)).toEqual(before);
    await next.networking.disconnect('p', 'net');
    expect(inside(netnsPath)).toEqual(['eth0 172.17.0.2/16']);
  });

  it('changes nothing when the kernel refuses', async () => {
    const { networking, inside, kernel } = await started();
    const { netnsPath } = await networking.setUp(taskOf('t', onBack));
    kernel.refuse = ({ op }) => {
      if (op === 'address-add') throw new SimRefusal('EPERM', 'no');
    };
    await expect(networking.connect('t', onNet)).rejects.toThrow('address-add: no');
    kernel.refuse = undefined;
    expect(inside(netnsPath)).toEqual(['eth0 10.0.3.5/24']);
    expect([...kernel.at(netnsPath).links.keys()]).toEqual(['lo', 'eth0']);
    const fresh = await networking.setUp(taskOf('u', onNet));
    expect(inside(fresh.netnsPath)).toContain('eth1 172.18.0.3/16');
  });

  it('is refused in Docker’s words', async () => {
    const { networking } = await started();
    await networking.setUp(taskOf('t', onNet));
    await expect(networking.connect('t', onNet)).rejects.toThrow(
      'endpoint with name t already exists in network net',
    );
    await networking.setUp(plain('h', { mode: 'host' }));
    await expect(networking.connect('h', onNet)).rejects.toThrow('cannot be connected');
    await expect(networking.disconnect('t', 'back')).rejects.toThrow(
      'container t is not connected to network back',
    );
    await expect(networking.connect('nobody', onNet)).rejects.toThrow('nobody');
  });
});

describe('those that serve containers', () => {
  it('hear of each while it is on a network', async () => {
    const { networking, reader } = await started();
    await networking.setUp(plain('p'));
    expect(reader.told).toEqual([]);
    await networking.connect('p', onNet);
    await networking.connect('p', onBack);
    await networking.disconnect('p', 'net');
    await networking.disconnect('p', 'back');
    await networking.setUp(taskOf('t', onNet));
    await networking.tearDown('t');
    await networking.tearDown('p');
    expect(reader.told).toEqual([
      'added p net=eth1',
      'changed p net=eth1 back=eth2',
      'changed p back=eth2',
      'removed p',
      'added t net=eth0',
      'removed t',
    ]);
  });

  it('keep a container from starting that they cannot serve', async () => {
    const { networking, reader, kernel } = await started();
    const before = kernel.namespaces.size;
    reader.refuses = true;
    await expect(networking.setUp(taskOf('t', onNet))).rejects.toThrow('cannot serve');
    expect(kernel.namespaces.size).toBe(before);
    expect(reader.told).toEqual(['added t net=eth0', 'removed t']);
  });

  it('hear of those that live after a restart', async () => {
    const { machine, network, networking } = await started();
    const request = taskOf('t', onNet, onIngress);
    const state = await networking.setUp(request);
    await network.close();
    const next = await machine.boot();
    const reader = new Reader();
    next.serveContainers(reader);
    await next.networking.restore([{ request, state }]);
    expect(reader.told).toEqual(['added t ingress=eth0 net=eth1']);
  });

  it('hear of those that live when they come late', async () => {
    const { network, networking } = await started();
    await networking.setUp(taskOf('t', onNet));
    const late = new Reader();
    network.serveContainers(late);
    expect(late.told).toEqual(['added t net=eth0']);
  });
});
