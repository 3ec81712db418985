import { create } from '@bufbuild/protobuf';
import type { ContainerEngine } from '@skep/containers';
import { Code, RpcError, silentLogger } from '@skep/platform';
import { type Network, NetworkSchema } from '@skep/wire/swarmkit';
import type { FastifyInstance } from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ApiEvent } from '../events/hub.js';
import { createServer } from '../server/server.js';
import type { NetworkTables } from '../swarm/network-details.js';
import { SimSwarmNode } from '../swarm/node.sim.js';
import { allSwarmRoutes } from '../swarm/routes/index.js';
import { networkRoutes } from './networks.js';

let node: SimSwarmNode;
let app: FastifyInstance;
let attached: Network[];
let tables: { [K in keyof NetworkTables]: ReturnType<NetworkTables[K]> };
let containers: object[];
let calls: unknown[][];
let events: ApiEvent[];

const LOCAL = [
  { Name: 'bridge', Id: 'b1', Scope: 'local' },
  { Name: 'host', Id: 'h1', Scope: 'local' },
];

beforeEach(() => {
  node = new SimSwarmNode();
  attached = [];
  tables = { nodes: [], services: [], endpoints: [] };
  containers = [];
  calls = [];
  events = [];
  const addresses = {
    interfaces: () => [],
    defaultAdvertiseAddress: '10.1.0.5',
    ownSubnets: () => [],
  };
  const { clock, random } = node;
  const localNetwork = async (name: string) =>
    name === 'bridge' || name === 'host' ? { name } : undefined;
  const images = { pinned: async (image: string) => image };
  const swarm = { node, clock, random, addresses, localNetwork, images };
  const engine = {
    list: async () => containers,
    connect: async (...given: unknown[]) => void calls.push(['connect', ...given]),
    disconnect: async (...given: unknown[]) => void calls.push(['disconnect', ...given]),
  } as unknown as Pick<ContainerEngine, 'connect' | 'disconnect' | 'list'>;
  const local = {
    list: () => LOCAL,
    inspect: (input: string) => {
      const found = LOCAL.find(({ Name, Id }) => [Name, Id].includes(input));
      if (!found) throw new RpcError(Code.NOT_FOUND, 'no such network');
      return found;
    },
  };
  const routes = networkRoutes({
    local,
    swarm,
    engine,
    node: {
      attached: () => attached,
      tables: {
        nodes: () => tables.nodes,
        services: () => tables.services,
        endpoints: () => tables.endpoints,
      },
      differences: (id) => [`${id} had a stale entry`],
    },
    events: { publish: (event) => void events.push(event) },
  });
  app = createServer({ log: silentLogger, serverName: 'test' }, [...allSwarmRoutes(swarm), routes]);
});

async function call(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) {
  const { statusCode, body } = await app.inject({ method, url, ...(payload ? { payload } : {}) });
  return { status: statusCode, body: body === '' ? undefined : JSON.parse(body) };
}

const init = () => call('POST', '/swarm/init', { ListenAddr: '10.1.0.5:2377' });

/** Makes an overlay network; its status and id, or message. */
async function make(changes: object = {}): Promise<[number, string]> {
  const payload = { Name: 'net', Driver: 'overlay', ...changes };
  const { status, body } = await call('POST', '/networks/create', payload);
  return [status, body.Id ?? body.message];
}

async function names(filters: object = {}): Promise<string[]> {
  const query = `filters=${encodeURIComponent(JSON.stringify(filters))}`;
  const { body } = await call('GET', `/networks?${query}`);
  return body.map(({ Name }: { Name: string }) => Name);
}

const NOT_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

describe('making a network', () => {
  it.each(['noSwarm', 'worker', 'notReady'] as const)(
    'is for managers alone: %s',
    async (reason) => {
      node.become('active', reason);
      expect(await make()).toEqual([403, NOT_MANAGER]);
      expect(await names()).toEqual(['bridge', 'host']);
    },
  );

  it('keeps what was asked for', async () => {
    await init();
    const [status, id] = await make({
      Attachable: true,
      Internal: true,
      Labels: { team: 'a' },
      Options: { encrypted: '' },
      IPAM: {
        Driver: 'default',
        Config: [
          {
            Subnet: '10.9.0.0/24',
            IPRange: '10.9.0.128/25',
            Gateway: '10.9.0.7',
            AuxiliaryAddresses: { nas: '10.9.0.8' },
          },
        ],
      },
    });
    expect(status).toBe(201);
    const network = node.store.view.get('network', id);
    expect(network?.spec).toMatchObject({
      annotations: { name: 'net', labels: { team: 'a' } },
      attachable: true,
      internal: true,
      driverConfig: { name: 'overlay', options: { encrypted: '' } },
      ipam: {
        configs: [
          {
            subnet: '10.9.0.0/24',
            range: '10.9.0.128/25',
            gateway: '10.9.0.7',
            reserved: { nas: '10.9.0.8' },
          },
        ],
      },
    });
  });

  const config = (...Config: object[]) => ({ IPAM: { Config } });
  const problem = (text: string) => `invalid network config:\n${text}`;

  it.each<[number, string, object]>([
    [403, 'operation is not permitted on predefined bridge network ', { Name: 'bridge' }],
    [404, 'plugin "weave" not found', { Driver: 'weave' }],
    [403, 'only one instance of "host" network is allowed', { Driver: 'host' }],
    [501, 'making local networks is not supported by this engine', { Driver: 'bridge' }],
    [501, 'configuration-only networks are not supported by this engine', { ConfigOnly: true }],
    [400, 'IPv4 cannot be disabled in a Swarm scoped network', { EnableIPv4: false }],
    [400, 'cannot downgrade network scope for overlay networks', { Scope: 'local' }],
    [
      400,
      problem('invalid subnet 10.0.0.0: invalid CIDR block notation'),
      config({ Subnet: '10.0.0.0' }),
    ],
    [
      400,
      problem('invalid subnet 10.0.0.5/24: it should be 10.0.0.0/24'),
      config({ Subnet: '10.0.0.5/24' }),
    ],
    [
      400,
      problem(
        "invalid ip-range 10.1.0.0/25: parent subnet 10.0.0.0/24 doesn't contain ip-range\n" +
          "invalid gateway 10.1.0.1: parent subnet 10.0.0.0/24 doesn't contain this address\n" +
          'invalid auxiliary address nas: invalid address',
      ),
      config({
        Subnet: '10.0.0.0/24',
        IPRange: '10.1.0.0/25',
        Gateway: '10.1.0.1',
        AuxiliaryAddresses: { nas: 'x' },
      }),
    ],
    [
      400,
      problem('invalid subnet fd00:0::5/64: it should be fd00::/64'),
      { ...config({ Subnet: 'fd00:0::5/64' }), EnableIPv6: true },
    ],
    [400, 'rpc error: code = InvalidArgument desc = meta: name must be provided', { Name: '' }],
    [
      403,
      'rpc error: code = PermissionDenied desc = Pool overlaps with other one on this address ' +
        'space: 10.8.0.0/24 overlaps 10.8.0.0/16 of network taken',
      config({ Subnet: '10.8.0.0/24' }),
    ],
    [409, 'network with name taken already exists', { Name: 'taken' }],
    [
      409,
      'rpc error: code = AlreadyExists desc = ingress network (INGRESS) is already present',
      { Ingress: true },
    ],
    [
      400,
      'rpc error: code = InvalidArgument desc = ingress network cannot be attachable',
      { Ingress: true, Attachable: true },
    ],
  ])('is refused with %i: %s', async (status, message, changes) => {
    await init();
    await make({ Name: 'taken', ...config({ Subnet: '10.8.0.0/16' }) });
    const [ingress] = [...node.store.view.all('network')].filter(({ spec }) => spec.ingress);
    expect(await make(changes)).toEqual([status, message.replace('INGRESS', ingress?.id ?? '')]);
  });
});

describe('the list of networks', () => {
  it('has the node‘s own and the swarm‘s', async () => {
    await init();
    expect(await names()).toEqual(['bridge', 'host', 'ingress']);
    const broken = () => Promise.reject(new RpcError(Code.UNKNOWN, 'The swarm has no leader.'));
    node.control = () => new Proxy({}, { get: () => broken }) as never;
    expect(await names()).toEqual(['bridge', 'host']);
  });

  it('has, on a worker, those that it takes part in', async () => {
    node.become('active', 'worker');
    attached = [create(NetworkSchema, { id: 'n1', spec: { annotations: { name: 'shop' } } })];
    expect(await names()).toEqual(['bridge', 'host', 'shop']);
    expect((await call('GET', '/networks/shop')).body).toMatchObject({ Id: 'n1', Scope: 'swarm' });
    expect((await call('GET', '/networks/n')).body.Name).toBe('shop');
    expect((await call('GET', '/networks/other')).status).toBe(404);
    expect((await call('DELETE', '/networks/shop')).status).toBe(503);
    node.become('inactive', 'noSwarm');
    expect(await names()).toEqual(['bridge', 'host']);
  });

  it.each<[object, string[]]>([
    [{ name: ['sho'] }, ['shop']],
    [{ label: ['team=a'] }, ['shop']],
    [{ label: ['team=a', 'other'] }, []],
    [{ driver: ['bridge'] }, []],
    [{ scope: ['swarm'] }, ['ingress', 'shop', 'used']],
    [{ type: ['builtin'] }, []],
    [{ dangling: ['true'] }, ['ingress', 'shop']],
    [{ dangling: ['false'] }, ['used']],
  ])('is filtered by %j', async (filters, expected) => {
    await init();
    await make({ Name: 'shop', Labels: { team: 'a' } });
    await make({ Name: 'used' });
    const TaskTemplate = { ContainerSpec: { Image: 'nginx' }, Networks: [{ Target: 'used' }] };
    const service = { Name: 'web', TaskTemplate, Mode: { Replicated: { Replicas: 1 } } };
    expect((await call('POST', '/services/create', service)).status).toBe(201);
    expect((await names(filters)).filter((name) => !LOCAL.some((l) => l.Name === name))).toEqual(
      expected,
    );
  });
});

describe('a network', () => {
  it('shows what this node knows of it', async () => {
    await init();
    const [, id] = await make({ Name: 'shop' });
    expect((await call('GET', `/networks/${id}?verbose=true`)).body).toMatchObject({
      Containers: null,
    });
    attached = [create(NetworkSchema, { id })];
    const endpoint = {
      NetworkID: id,
      EndpointID: 'e1',
      MacAddress: '02:42:0a:00:01:04',
      IPAddress: '10.0.1.4',
      IPPrefixLen: 24,
    };
    containers = [
      { Id: 'c1', Names: ['/web.1'], NetworkSettings: { Networks: { shop: endpoint } } },
    ];
    tables.nodes = [{ nodeId: 'n1', tunnelAddress: '192.168.9.1' }];
    tables.services = [{ serviceId: 's1', name: 'web', virtualIp: '10.0.1.2' }];
    tables.endpoints = [
      {
        id: 't1',
        nodeId: 'n1',
        serviceId: 's1',
        name: 'web.1',
        addresses: ['10.0.1.4/24'],
        ready: true,
        ports: [{ targetPort: 80, publishedPort: 8080 }],
      },
      {
        id: 'a1',
        nodeId: 'n1',
        serviceId: '',
        name: 'box',
        addresses: ['10.0.1.9/24'],
        ready: true,
        ports: [],
      },
    ];
    const { body } = await call('GET', `/networks/shop?verbose=true&scope=swarm`);
    expect(body.Containers).toEqual({
      c1: {
        Name: 'web.1',
        EndpointID: 'e1',
        MacAddress: '02:42:0a:00:01:04',
        IPv4Address: '10.0.1.4/24',
        IPv6Address: '',
      },
    });
    expect(body.Peers).toEqual([{ Name: 'n1', IP: '192.168.9.1' }]);
    const Info = { 'Host IP': '192.168.9.1', Ready: 'true' };
    expect(body.Services).toEqual({
      '': {
        VIP: '<nil>',
        Ports: [],
        LocalLBIndex: 0,
        Tasks: [{ Name: 'box', EndpointID: 'a1', EndpointIP: '10.0.1.9', Info }],
      },
      web: {
        VIP: '10.0.1.2',
        Ports: ['Target: 80, Publish: 8080'],
        LocalLBIndex: 0,
        Tasks: [{ Name: 'web.1', EndpointID: 't1', EndpointIP: '10.0.1.4', Info }],
      },
    });
    expect(body.Differences).toEqual([`${id} had a stale entry`]);
    expect((await call('GET', '/networks/shop')).body.Services).toBeUndefined();
    expect((await call('GET', '/networks/shop?verbose=maybe')).body.message).toBe(
      'invalid value for verbose: maybe: strconv.ParseBool: parsing "maybe": invalid syntax',
    );
  });

  it('is removed by name, id or its beginning, unless it is in use or the node‘s own', async () => {
    await init();
    const [, id] = await make();
    expect((await call('DELETE', '/networks/bridge')).body.message).toBe(
      'bridge is a pre-defined network and cannot be removed',
    );
    const TaskTemplate = { ContainerSpec: { Image: 'nginx' }, Networks: [{ Target: 'net' }] };
    const service = { Name: 'web', TaskTemplate, Mode: { Replicated: { Replicas: 1 } } };
    const { ID } = (await call('POST', '/services/create', service)).body;
    expect(await call('DELETE', '/networks/net')).toMatchObject({
      status: 400,
      body: {
        message: `rpc error: code = FailedPrecondition desc = network ${id} is in use by service ${ID}`,
      },
    });
    await call('DELETE', `/services/${ID}`);
    expect((await call('DELETE', `/networks/${id.slice(0, 10)}`)).status).toBe(204);
    expect((await call('DELETE', '/networks/net')).status).toBe(404);
  });

  it('takes containers on and lets them go, by its name', async () => {
    await init();
    const [, id] = await make();
    const EndpointConfig = { Aliases: ['db'] };
    await call('POST', `/networks/${id}/connect`, { Container: 'box', EndpointConfig });
    await call('POST', '/networks/elsewhere/connect', { Container: 'box' });
    const { status } = await call('POST', `/networks/${id}/disconnect`, { Container: 'box' });
    expect(status).toBe(200);
    expect(calls).toEqual([
      ['connect', 'box', 'net', EndpointConfig],
      ['connect', 'box', 'elsewhere', {}],
      ['disconnect', 'box', 'net'],
    ]);
    const wrong = await call('POST', `/networks/${id}/connect`, { Container: 7 });
    expect(wrong.status).toBe(400);
  });
});

describe('pruning', () => {
  const prune = async (filters: object = {}) => {
    const query = `filters=${encodeURIComponent(JSON.stringify(filters))}`;
    return (await call('POST', `/networks/prune?${query}`)).body;
  };

  it('removes the networks that nobody uses, but never the ingress network', async () => {
    await init();
    await make({ Name: 'idle' });
    await make({ Name: 'used' });
    const TaskTemplate = { ContainerSpec: { Image: 'nginx' }, Networks: [{ Target: 'used' }] };
    const service = { Name: 'web', TaskTemplate, Mode: { Replicated: { Replicas: 1 } } };
    await call('POST', '/services/create', service);
    expect(await prune()).toEqual({ NetworksDeleted: ['idle'] });
    expect(await names({ scope: ['swarm'] })).toEqual(['bridge', 'host', 'ingress', 'used']);
    expect(await prune()).toEqual({ NetworksDeleted: null });
    expect(events.map(({ Type, Action }) => [Type, Action])).toEqual([
      ['network', 'prune'],
      ['network', 'prune'],
    ]);
  });

  it.each<[object, string[] | null]>([
    [{ label: ['keep'] }, ['a']],
    [{ 'label!': ['keep'] }, ['b']],
    [{ until: ['1h'] }, null],
    [{ until: ['0s'] }, ['a', 'b']],
  ])('heeds %j', async (filters, removed) => {
    await init();
    await make({ Name: 'a', Labels: { keep: '' } });
    await make({ Name: 'b' });
    await node.clock.advance(60_000);
    expect(await prune(filters)).toEqual({ NetworksDeleted: removed });
  });

  it('does nothing on a worker, and refuses filters that it does not know', async () => {
    node.become('active', 'worker');
    expect(await prune()).toEqual({ NetworksDeleted: null });
    expect((await prune({ name: ['x'] })).message).toBe("invalid filter 'name'");
    expect((await prune({ until: ['1h', '2h'] })).message).toBe(
      'more than one until filter specified',
    );
  });
});
