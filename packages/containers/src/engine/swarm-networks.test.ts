import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, RpcError, SimClock, settle } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CreateRequest, TaskEndpoint } from '../contract/config.js';
import type { ContainerNetworking, SandboxRecord } from '../contract/networking.js';
import type { EndpointState } from '../contract/state.js';
import type { AttachmentRequest, SwarmNetworks } from '../contract/swarm-networks.js';
import { FakeContainerd } from './containerd.fake.js';
import type { Engine } from './engine.js';
import { openSimEngine } from './engine.sim.js';

/** Keeps what sandboxes would stand, and nothing else. */
class FakeNetworking implements ContainerNetworking {
  readonly sandboxes = new Map<string, SandboxRecord>();
  failure: Error | undefined;

  async setUp(request: SandboxRecord['request']) {
    const own = request.mode === 'bridge' ? [['bridge', stateOf('b1', '172.17.0.2/16')]] : [];
    const endpoints: Record<string, EndpointState> = Object.fromEntries(own);
    const state = { sandboxId: 's', netnsPath: '/netns', endpoints, ports: {}, nameservers: [] };
    this.sandboxes.set(request.containerId, { request, state });
    for (const endpoint of request.endpoints) this.#put(request.containerId, endpoint);
    return this.#get(request.containerId).state;
  }
  async tearDown(id: string) {
    this.sandboxes.delete(id);
  }
  async restore(known: SandboxRecord[]) {
    for (const sandbox of known) this.sandboxes.set(sandbox.request.containerId, sandbox);
  }
  async connect(id: string, endpoint: TaskEndpoint) {
    if (this.failure) throw this.failure;
    this.#put(id, endpoint);
    return this.#get(id);
  }
  async rename(id: string, name: string) {
    const { request, state } = this.#get(id);
    const record = { request: { ...request, name }, state };
    this.sandboxes.set(id, record);
    return record;
  }
  async disconnect(id: string, networkId: string) {
    const { request, state } = this.#get(id);
    const kept = Object.entries(state.endpoints).filter(([, one]) => one.NetworkID !== networkId);
    const record = { request, state: { ...state, endpoints: Object.fromEntries(kept) } };
    this.sandboxes.set(id, record);
    return record;
  }
  async counters() {
    return {};
  }

  #get(id: string): SandboxRecord {
    const sandbox = this.sandboxes.get(id);
    if (!sandbox) throw new Error(`no sandbox of ${id}`);
    return sandbox;
  }

  #put(id: string, { address, networkId, networkName }: TaskEndpoint): void {
    const { request, state } = this.#get(id);
    const endpoints = { ...state.endpoints, [networkName]: stateOf(networkId, address) };
    this.sandboxes.set(id, { request, state: { ...state, endpoints } });
  }
}

function stateOf(NetworkID: string, address: string): EndpointState {
  const [IPAddress = '', bits] = address.split('/');
  return { NetworkID, IPAddress, IPPrefixLen: Number(bits) } as EndpointState;
}

/** A swarm with the networks `front` and `back`. */
class FakeSwarm implements SwarmNetworks {
  isAvailable = true;
  readonly asked: AttachmentRequest[] = [];
  readonly held = new Set<string>();
  #next = 2;

  async attach(request: AttachmentRequest): Promise<TaskEndpoint> {
    const { containerId, network, address, names } = request;
    this.asked.push(request);
    const networkName = network.replace('id-of-', '');
    if (!['front', 'back'].includes(networkName)) {
      throw new RpcError(Code.UNKNOWN, `Could not attach to network ${network}`);
    }
    this.held.add(`${containerId} ${networkName}`);
    return {
      networkId: `id-of-${networkName}`,
      networkName,
      address: address === '' ? `10.0.1.${this.#next++}/24` : `${address}/24`,
      subnet: '10.0.1.0/24',
      gateway: '10.0.1.1',
      ingress: false,
      internal: false,
      aliases: names.slice(1),
    };
  }
  readonly renamed: string[] = [];
  failure: Error | undefined;
  async rename(containerId: string, name: string): Promise<void> {
    if (this.failure) throw this.failure;
    this.renamed.push(`${containerId} ${name}`);
  }
  detach(containerId: string, networkId?: string): void {
    for (const one of this.held) {
      const [id, name] = one.split(' ');
      const isMeant = networkId === undefined || networkId === `id-of-${name}`;
      if (id === containerId && isMeant) this.held.delete(one);
    }
  }
}

let root: string;
let clock: SimClock;
let containerd: FakeContainerd;
let networking: FakeNetworking;
let swarm: FakeSwarm;
let engine: Engine;
let events: string[];

const open = () =>
  openSimEngine({
    root,
    clock,
    containerd,
    networking,
    swarmNetworks: swarm,
    onEvent: ({ Type, Action, Actor }) => {
      if (Type === 'network') events.push(`${Action} ${Actor.Attributes.name}`);
    },
  });

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'skep-swarm-networks-unit-'));
  clock = new SimClock();
  containerd = new FakeContainerd();
  networking = new FakeNetworking();
  swarm = new FakeSwarm();
  events = [];
  engine = await open();
});

afterEach(async () => {
  for (const task of containerd.tasks.values()) task.files.length = 0;
  await engine.close();
  rmSync(root, { recursive: true, force: true });
});

async function made(request: CreateRequest, name = 'box'): Promise<string> {
  const { Id } = await engine.create(name, { Image: 'busybox', ...request });
  return Id;
}

const on = (mode: string, endpoints: object = {}): CreateRequest => ({
  HostConfig: { NetworkMode: mode },
  NetworkingConfig: { EndpointsConfig: endpoints as never },
});
const networksOf = async (id: string) =>
  Object.entries((await engine.inspect(id)).NetworkSettings.Networks).map(
    ([name, { IPAddress }]) => `${name} ${IPAddress}`,
  );

describe('a container that is started on networks of the swarm', () => {
  it('gets its addresses before its sandbox, that of its network mode first', async () => {
    const address = { IPAMConfig: { IPv4Address: '10.0.1.77' } };
    const id = await made(on('front', { back: address, front: { Aliases: ['db'] } }));
    expect(await networksOf(id)).toEqual(['front ', 'back ']);
    expect(swarm.asked).toEqual([]);
    await engine.start(id);
    expect(swarm.asked).toMatchObject([
      { network: 'front', address: '', names: ['box', 'db', id.slice(0, 12)] },
      { network: 'back', address: '10.0.1.77' },
    ]);
    const { request } = networking.sandboxes.get(id)!;
    expect(request.mode).toBe('task');
    expect(request.endpoints.map(({ networkName }) => networkName)).toEqual(['front', 'back']);
    expect(await networksOf(id)).toEqual(['front 10.0.1.2', 'back 10.0.1.77']);
    expect(events).toEqual(['connect front', 'connect back']);
  });

  it('is on the node‘s own network too where it asks for that', async () => {
    const id = await made(on('front', { front: {}, bridge: {} }));
    await engine.start(id);
    expect(await networksOf(id)).toEqual(['bridge 172.17.0.2', 'front 10.0.1.2']);
  });

  it('gives them back when it ends, and gets others at its next start', async () => {
    const id = await made(on('front'));
    await engine.start(id);
    containerd.exit(id, 0);
    await settle();
    expect([...swarm.held]).toEqual([]);
    expect(events).toEqual(['connect front', 'disconnect front']);
    await engine.start(id);
    expect(await networksOf(id)).toEqual(['front 10.0.1.3']);
  });

  it('does not start without one of them, and holds none then', async () => {
    const id = await made(on('front', { nowhere: {} }));
    await expect(engine.start(id)).rejects.toThrow('Could not attach to network nowhere');
    expect([...swarm.held]).toEqual([]);
    expect(networking.sandboxes.size).toBe(0);
    expect((await engine.inspect(id)).State.Status).toBe('created');
  });

  it('holds none when its process cannot be started', async () => {
    const id = await made(on('front'));
    containerd.startError = new Error('no such file');
    await expect(engine.start(id)).rejects.toThrow();
    expect([...swarm.held]).toEqual([]);
  });

  it('keeps them over a restart of the engine', async () => {
    const id = await made(on('front'));
    await engine.start(id);
    await engine.close();
    engine = await open();
    expect(await networksOf(id)).toEqual(['front 10.0.1.2']);
    expect([...swarm.held]).toEqual([`${id} front`]);
  });

  it.each<[string, CreateRequest]>([
    ['network front not found', on('front')],
    ['network back not found', on('bridge', { back: {} })],
  ])('is not made outside of a swarm: %s', async (message, request) => {
    swarm.isAvailable = false;
    await expect(made(request)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT, message });
  });

  it.each<[string, object]>([
    [
      'user specified IP address is supported on user defined networks only',
      on('bridge', { bridge: { IPAMConfig: { IPv4Address: '172.17.0.9' } } }),
    ],
    [
      'network-scoped alias is supported only for containers in user defined networks',
      on('bridge', { bridge: { Aliases: ['db'] } }),
    ],
    [
      'invalid IPv4 address: 10.0.1',
      on('front', { front: { IPAMConfig: { IPv4Address: '10.0.1' } } }),
    ],
    [
      'IPv6 addresses are not given in networks of the swarm: fd00::1',
      on('front', { front: { IPAMConfig: { IPv6Address: 'fd00::1' } } }),
    ],
  ])('is refused what cannot be: %s', async (problem, request) => {
    await expect(made(request)).rejects.toThrow(`invalid endpoint settings:\n${problem}`);
  });
});

describe('a container that is renamed', () => {
  it('is called so in its networks at once, and at its next start', async () => {
    const id = await made(on('front'));
    await engine.rename(id, 'early');
    expect(swarm.renamed).toEqual([]);
    await engine.start(id);
    expect(swarm.asked.at(-1)?.names[0]).toBe('early');
    await engine.rename(id, 'late');
    expect(swarm.renamed).toEqual([`${id} late`]);
    expect(networking.sandboxes.get(id)?.request.name).toBe('late');
  });

  it('has its new name though no manager can be told', async () => {
    const id = await made(on('front'));
    await engine.start(id);
    swarm.failure = new RpcError(Code.UNAVAILABLE, 'nobody there');
    await engine.rename(id, 'late');
    expect((await engine.inspect('late')).Id).toBe(id);
    expect(networking.sandboxes.get(id)?.request.name).toBe('late');
  });

  it('on the node’s own network alone has nothing to tell', async () => {
    const id = await made({});
    await engine.start(id);
    await engine.rename(id, 'late');
    expect(swarm.renamed).toEqual([]);
  });
});

describe('a container that is connected', () => {
  it('gets its address now when it runs, and again at its next start', async () => {
    const id = await made({});
    await engine.start(id);
    await engine.connect(id, 'front', { Aliases: ['db'] });
    expect(await networksOf(id)).toEqual(['bridge 172.17.0.2', 'front 10.0.1.2']);
    await engine.stop(id);
    expect([...swarm.held]).toEqual([]);
    expect(await networksOf(id)).toEqual(['bridge ', 'front ']);
    await engine.start(id);
    expect(networking.sandboxes.get(id)?.request).toMatchObject({
      mode: 'bridge',
      endpoints: [{ networkName: 'front' }],
    });
    expect(swarm.asked.at(-1)?.names).toContain('db');
  });

  it('waits for its start when it does not run', async () => {
    const id = await made({});
    await engine.connect(id, 'front', {});
    expect(swarm.asked).toEqual([]);
    await engine.start(id);
    expect(await networksOf(id)).toEqual(['bridge 172.17.0.2', 'front 10.0.1.2']);
  });

  it('is taken off again, by name or id, for good', async () => {
    const id = await made(on('front'));
    await engine.start(id);
    await engine.connect(id, 'id-of-back', {});
    await engine.disconnect(id, 'id-of-back');
    await engine.disconnect(id, 'front');
    expect([...swarm.held]).toEqual([]);
    expect(events.slice(-2)).toEqual(['disconnect back', 'disconnect front']);
    await engine.stop(id);
    await engine.start(id);
    expect(networking.sandboxes.get(id)?.request).toMatchObject({ mode: 'none', endpoints: [] });
  });

  it('holds no address when its network cannot be plugged in', async () => {
    const id = await made({});
    await engine.start(id);
    networking.failure = new Error('too many networks');
    await expect(engine.connect(id, 'front', {})).rejects.toThrow('too many networks');
    expect([...swarm.held]).toEqual([]);
    expect(await networksOf(id)).toEqual(['bridge 172.17.0.2']);
  });

  it.each<[Code, string, string, CreateRequest]>([
    [Code.ALREADY_EXISTS, 'box is already attached to network front', 'front', on('front')],
    [Code.UNIMPLEMENTED, 'putting containers on network bridge is not supported', 'bridge', {}],
    [
      Code.INVALID_ARGUMENT,
      'cannot connect container to host network - container must be created in host network mode',
      'host',
      {},
    ],
    [
      Code.INVALID_ARGUMENT,
      'container sharing network namespace with another container or host cannot be connected to ' +
        'any other network',
      'front',
      on('host'),
    ],
    [
      Code.INVALID_ARGUMENT,
      'container cannot be connected to multiple networks with one of the networks in private ' +
        '(none) mode',
      'front',
      on('none'),
    ],
  ])('is refused with %i: %s', async (code, message, network, request) => {
    const id = await made(request);
    await engine.start(id);
    await expect(engine.connect(id, network, {})).rejects.toMatchObject({ code, message });
  });

  it('cannot be taken off a network that it is not on', async () => {
    const id = await made({});
    await expect(engine.disconnect(id, 'front')).rejects.toThrow(
      `container ${id} is not connected to network front`,
    );
    await expect(engine.connect('nobody', 'front', {})).rejects.toMatchObject({
      code: Code.NOT_FOUND,
    });
    swarm.isAvailable = false;
    await expect(engine.connect(id, 'front', {})).rejects.toThrow('network front not found');
  });
});
