import { create } from '@bufbuild/protobuf';
import type { RegistryAuth } from '@skep/containers';
import { Code, RpcError, silentLogger } from '@skep/platform';
import { completeObject, timestampFromMs } from '@skep/wire';
import {
  LogStream,
  NetworkSchema,
  SubscribeLogsMessageSchema,
  TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import type { FastifyInstance } from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../server/server.js';
import { swarmInfo } from '../info.js';
import { managerOf } from '../manager.js';
import { inspectSwarmNetwork, listSwarmNetworks } from '../networks.js';
import { SimSwarmNode } from '../node.sim.js';
import { allSwarmRoutes } from './index.js';

const NO_SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

let node: SimSwarmNode;
let app: FastifyInstance;

beforeEach(() => {
  node = new SimSwarmNode();
  const addresses = {
    interfaces: () => [
      { name: 'eth0', up: true, loopback: false, device: true, addresses: ['10.1.0.5'] },
    ],
    defaultAdvertiseAddress: '',
    ownSubnets: () => [],
  };
  const localNetwork = async (name: string) => (name === 'mine' ? { name } : undefined);
  const { clock, random } = node;
  const images = {
    pinned: async (image: string, auth?: RegistryAuth) => {
      if (image === 'gone') throw new Error('no such host');
      return `${image}:1@sha256:${(auth?.username ?? '0').repeat(64)}`;
    },
  };
  const deps = { node, clock, random, addresses, localNetwork, images };
  app = createServer({ log: silentLogger, serverName: 'test' }, allSwarmRoutes(deps));
});

async function call(method: 'GET' | 'POST' | 'DELETE', url: string, body?: object, headers = {}) {
  const answer = await app.inject({ method, url, headers, ...(body ? { payload: body } : {}) });
  const { statusCode: status, body: text } = answer;
  return { status, json: text === '' ? undefined : JSON.parse(text) };
}

const init = () => call('POST', '/swarm/init', { ListenAddr: '0.0.0.0:2377' });
const web = (changes: object = {}) => ({
  Name: 'web',
  TaskTemplate: { ContainerSpec: { Image: 'nginx' } },
  ...changes,
});

describe('answers', () => {
  it('say plain application/json, also for errors: clients compare it whole', async () => {
    for (const url of ['/swarm', '/nothing']) {
      const { headers } = await app.inject({ method: 'GET', url });
      expect(headers['content-type']).toBe('application/json');
    }
  });
});

describe('membership', () => {
  it('answers 503 before there is a swarm', async () => {
    for (const url of ['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs']) {
      expect(await call('GET', url)).toEqual({ status: 503, json: { message: NO_SWARM } });
    }
  });

  it('makes a swarm, shows it at once, and refuses a second one', async () => {
    expect(await init()).toEqual({ status: 200, json: 'node-one' });
    expect(node.initialised).toMatchObject({
      listenAddress: '0.0.0.0:2377',
      advertiseAddress: '10.1.0.5:2377',
      dataPathAddress: '10.1.0.5',
      dataPathPort: 4789,
      subnetSize: 24,
    });
    const { json } = await call('GET', '/swarm');
    expect(json).toMatchObject({
      ID: 'cluster-one',
      JoinTokens: { Worker: 'SWMTKN-1-w', Manager: 'SWMTKN-1-m' },
      DefaultAddrPool: ['10.0.0.0/8'],
      Spec: {
        Name: 'default',
        Orchestration: { TaskHistoryRetentionLimit: 5 },
        Dispatcher: { HeartbeatPeriod: 5_000_000_000 },
        CAConfig: { NodeCertExpiry: 7_776_000_000_000_000 },
      },
    });
    expect((await call('GET', '/nodes/node-one')).json).toMatchObject({
      ID: 'node-one',
      Spec: { Role: 'manager', Availability: 'active' },
      ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: '10.1.0.5:2377' },
    });
    expect((await init()).status).toBe(503);
  });

  it.each([
    [400, 'swarm spec must be named "default"', { Spec: { Name: 'other' } }],
    [
      400,
      'listen address must be an IP address or network interface (with optional port number)',
      { ListenAddr: 'nowhere' },
    ],
    [
      400,
      'advertise address must be a non-zero IP address or network interface (with optional port number)',
      { AdvertiseAddr: '0.0.0.0' },
    ],
    [
      400,
      'data path address must be a non-zero IP address or network interface (without a port number)',
      { DataPathAddr: 'x' },
    ],
    [400, 'subnet size is out of range: 30', { DefaultAddrPool: ['10.0.0.0/8'], SubnetSize: 30 }],
    [
      400,
      'invalid CIDR: "10.0.0.0/26". Subnet size is too small for pool: 24',
      { DefaultAddrPool: ['10.0.0.0/26'] },
    ],
    [400, 'Datapath port number is not in valid range (1024-49151) : 80', { DataPathPort: 80 }],
    [400, 'invalid Availability: "lazy"', { Availability: 'lazy' }],
  ])('refuses init with %i: %s', async (status, message, changes) => {
    const body = { ListenAddr: '0.0.0.0:2377', ...changes };
    expect(await call('POST', '/swarm/init', body)).toEqual({ status, json: { message } });
  });

  it('reads a join, and leaves', async () => {
    const none = await call('POST', '/swarm/join', { ListenAddr: '0.0.0.0:2377' });
    expect(none.json.message).toBe('at least 1 RemoteAddr is required to join');
    await call('POST', '/swarm/join', {
      ListenAddr: '0.0.0.0:2377',
      RemoteAddrs: ['10.1.0.9'],
      JoinToken: 't',
    });
    expect(node.joins[0]).toMatchObject({ remoteAddresses: ['10.1.0.9:2377'], joinToken: 't' });
    expect((await call('POST', '/swarm/leave')).json.message).toBe(
      'This node is not part of a swarm',
    );
    await init();
    expect((await call('POST', '/swarm/leave?force=1')).status).toBe(200);
    expect((await call('POST', '/swarm/unlock', { UnlockKey: 'x' })).json.message).toBe(NO_SWARM);
  });

  it('takes back the spec it shows, and rotates tokens', async () => {
    await init();
    const before = (await call('GET', '/swarm')).json;
    const url = `/swarm/update?version=${before.Version.Index}&rotateWorkerToken=true`;
    expect((await call('POST', url, before.Spec)).status).toBe(200);
    const after = (await call('GET', '/swarm')).json;
    expect(after.Spec).toEqual(before.Spec);
    expect(after.JoinTokens).toEqual({ Worker: 'SWMTKN-1-rotated', Manager: 'SWMTKN-1-m' });
    const stale = await call('POST', url, before.Spec);
    expect(stale).toEqual({
      status: 500,
      json: { message: 'rpc error: code = Unknown desc = update out of sequence' },
    });
    expect((await call('POST', '/swarm/update?version=x', {})).json.message).toBe(
      `invalid swarm version 'x': strconv.ParseUint: parsing "x": invalid syntax`,
    );
  });

  it('shows itself in /info', async () => {
    expect(await swarmInfo(node, node.clock)).toMatchObject({
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      RemoteManagers: null,
    });
    await init();
    expect(await swarmInfo(node, node.clock)).toMatchObject({
      NodeID: 'node-one',
      NodeAddr: '10.1.0.5',
      LocalNodeState: 'active',
      ControlAvailable: true,
      RemoteManagers: [{ NodeID: 'node-one', Addr: '10.1.0.5:2377' }],
      Nodes: 1,
      Managers: 1,
      Cluster: { ID: 'cluster-one' },
    });
  });
});

describe('services', () => {
  beforeEach(async () => {
    await init();
  });

  it('are made, found by id, name and beginning of the id, and removed with 200', async () => {
    const made = await call('POST', '/services/create', web());
    expect(made).toEqual({ status: 201, json: { ID: expect.any(String), Warnings: null } });
    const { ID } = made.json;
    for (const name of [ID, 'web', ID.slice(0, 8)]) {
      expect((await call('GET', `/services/${name}`)).json.ID).toBe(ID);
    }
    expect(await call('GET', '/services/nothing')).toEqual({
      status: 404,
      json: { message: 'service nothing not found' },
    });
    expect((await call('DELETE', '/services/web')).status).toBe(200);
    expect((await call('DELETE', '/services/web')).status).toBe(404);
  });

  it('says when a beginning of an id fits several', async () => {
    for (const id of ['abc1', 'abc2']) {
      const spec = { annotations: { name: `n${id}` } };
      const object = completeObject('network', create(NetworkSchema, { id, spec }));
      await node.store.update((tx) => tx.create('network', object));
    }
    const control = managerOf(node, node.clock);
    await expect(inspectSwarmNetwork(control, 'abc')).rejects.toThrow(
      'network abc is ambiguous (2 matches found)',
    );
    expect((await listSwarmNetworks(control)).map(({ Name }) => Name)).toEqual([
      'ingress',
      'nabc1',
      'nabc2',
    ]);
  });

  it('make up a name, and complain in the words of gRPC', async () => {
    const made = await call('POST', '/services/create', web({ Name: '' }));
    expect((await call('GET', `/services/${made.json.ID}`)).json.Spec.Name).toMatch(/^\w+_\w+$/);
    await call('POST', '/services/create', web());
    expect(await call('POST', '/services/create', web())).toEqual({
      status: 409,
      json: {
        message:
          'rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists',
      },
    });
  });

  it('take back what they show, keep what was left out open, and fill it in on request', async () => {
    await call('POST', '/services/create', web());
    const { json } = await call('GET', '/services/web');
    expect(json.Spec.TaskTemplate.RestartPolicy).toBeUndefined();
    const update = (body: object, query = '') =>
      call('POST', `/services/web/update?version=${json.Version.Index}${query}`, body);
    expect(await update(json.Spec)).toEqual({ status: 200, json: { Warnings: null } });
    const after = (await call('GET', '/services/web')).json;
    expect(after.Spec).toEqual(json.Spec);
    expect(after.PreviousSpec).toEqual(json.Spec);
    const shown = (await call('GET', '/services/web?insertDefaults=true')).json;
    expect(shown.Spec.TaskTemplate.RestartPolicy).toEqual({
      Condition: 'any',
      Delay: 5_000_000_000,
      MaxAttempts: 0,
    });
    expect((await update(json.Spec)).json.message).toContain('update out of sequence');
  });

  it('keep registry credentials that are not given again', async () => {
    await call('POST', '/services/create', web(), { 'x-registry-auth': 'c2VjcmV0' });
    const { json } = await call('GET', '/services/web');
    expect(JSON.stringify(json)).not.toContain('c2VjcmV0');
    await call('POST', `/services/web/update?version=${json.Version.Index}`, json.Spec);
    const [stored] = node.store.view.all('service');
    const runtime = stored?.spec.task.runtime;
    expect(runtime?.case === 'container' && runtime.value.pullOptions?.registryAuth).toBe(
      'c2VjcmV0',
    );
  });

  it('take registry credentials from the spec before the last update, when asked', async () => {
    const storedAuth = () => {
      const [stored] = node.store.view.all('service');
      const runtime = stored?.spec.task.runtime;
      return runtime?.case === 'container' && runtime.value.pullOptions?.registryAuth;
    };
    const update = async (query: string, headers = {}) => {
      const { json } = await call('GET', '/services/web');
      const url = `/services/web/update?version=${json.Version.Index}${query}`;
      return await call('POST', url, json.Spec, headers);
    };
    await call('POST', '/services/create', web(), { 'x-registry-auth': 'Zmlyc3Q' });
    await update('', { 'x-registry-auth': 'c2Vjb25k' });
    expect(storedAuth()).toBe('c2Vjb25k');
    await update('&registryAuthFrom=previous-spec');
    expect(storedAuth()).toBe('Zmlyc3Q');
    await update('&registryAuthFrom=spec');
    expect(storedAuth()).toBe('Zmlyc3Q');
    const message = 'unsupported registryAuthFrom value';
    expect(await update('&registryAuthFrom=x')).toEqual({ status: 500, json: { message } });
  });

  it('have their image pinned for clients that do not do it themselves', async () => {
    const imageOf = async (name: string) =>
      (await call('GET', `/services/${name}`)).json.Spec.TaskTemplate.ContainerSpec.Image;
    const auth = Buffer.from('{"username":"a"}').toString('base64url');
    await call('POST', '/v1.29/services/create', web(), { 'x-registry-auth': auth });
    expect(await imageOf('web')).toBe(`nginx:1@sha256:${'a'.repeat(64)}`);
    await call('POST', '/v1.30/services/create', web({ Name: 'new' }));
    expect(await imageOf('new')).toBe('nginx');
    const gone = { Name: 'gone', TaskTemplate: { ContainerSpec: { Image: 'gone' } } };
    const { json } = await call('POST', '/v1.29/services/create', web(gone));
    expect(json.Warnings).toEqual([
      expect.stringMatching(
        /^image gone could not be accessed on a registry to record\nits digest/,
      ),
    ]);
    expect(await imageOf('gone')).toBe('gone');
  });

  it('are listed with status where the client knows it', async () => {
    await call('POST', '/services/create', web());
    const { json } = await call('GET', '/services?status=true');
    expect(json[0].ServiceStatus).toEqual({ RunningTasks: 0, DesiredTasks: 1, CompletedTasks: 0 });
    const old = await call('GET', '/v1.40/services?status=true');
    expect(old.json[0].ServiceStatus).toBeUndefined();
    const none = await call('GET', `/services?filters=${filter({ mode: ['global'] })}`);
    expect(none.json).toEqual([]);
    const bad = await call('GET', `/services?filters=${filter({ colour: ['red'] })}`);
    expect(bad).toEqual({ status: 400, json: { message: "invalid filter 'colour'" } });
  });

  it('lose what an old client cannot have meant', async () => {
    const spec = web();
    Object.assign(spec.TaskTemplate.ContainerSpec, { CapabilityAdd: ['CAP_X'], Init: true });
    const made = await call('POST', '/v1.40/services/create', spec);
    const { json } = await call('GET', `/services/${made.json.ID}`);
    expect(json.Spec.TaskTemplate.ContainerSpec).toEqual({
      Image: 'nginx',
      Init: true,
      Isolation: 'default',
    });
  });

  it('attach to networks by name, and not to those of one node', async () => {
    const networks = (Target: string) =>
      web({ TaskTemplate: { ContainerSpec: { Image: 'a' }, Networks: [{ Target }] } });
    await call('POST', '/services/create', networks('host'));
    const { json } = await call('GET', '/services/web');
    const host = node.store.view.named('network', 'host');
    expect(json.Spec.TaskTemplate.Networks).toEqual([{ Target: host?.id }]);
    expect(await call('POST', '/services/create', networks('mine'))).toEqual({
      status: 403,
      json: {
        message:
          'The network mine cannot be used with services. Only networks scoped to the swarm can be used, such as those created with the overlay driver.',
      },
    });
    expect((await call('POST', '/services/create', networks('no'))).status).toBe(404);
  });
});

const filter = (value: object) => encodeURIComponent(JSON.stringify(value));

describe('tasks', () => {
  it('are found by service name, and an unknown service fails the list', async () => {
    await init();
    const { ID } = (await call('POST', '/services/create', web())).json;
    const task = create(TaskSchema, {
      id: 't1',
      serviceId: ID,
      slot: 1n,
      nodeId: 'node-one',
      serviceAnnotations: { name: 'web' },
      desiredState: TaskState.RUNNING,
      status: { state: TaskState.STARTING, timestamp: timestampFromMs(0) },
    });
    await node.store.update((tx) => tx.create('task', completeObject('task', task)));
    const list = await call('GET', `/tasks?filters=${filter({ service: { web: true } })}`);
    expect(list.json).toMatchObject([
      { ID: 't1', Slot: 1, DesiredState: 'running', Status: { State: 'starting', PortStatus: {} } },
    ]);
    expect((await call('GET', '/tasks/web.1.t1')).json.ID).toBe('t1');
    expect(await call('GET', `/tasks?filters=${filter({ service: ['no'] })}`)).toEqual({
      status: 404,
      json: { message: 'service no not found' },
    });
    expect(await call('GET', `/tasks?filters=${filter({ 'desired-state': ['odd'] })}`)).toEqual({
      status: 500,
      json: { message: "Invalid desired-state filter: 'odd'" },
    });
  });
});

describe('nodes', () => {
  it('are updated with what is read, and keep the last manager', async () => {
    await init();
    const { json } = await call('GET', '/nodes/node-one');
    const update = (body: object) =>
      call('POST', `/nodes/node-one/update?version=${json.Version.Index}`, body);
    expect((await update({ ...json.Spec, Role: 'king' })).json.message).toBe(
      'invalid Role: "king"',
    );
    expect((await update({ ...json.Spec, Role: 'worker' })).json.message).toBe(
      'rpc error: code = FailedPrecondition desc = attempting to demote the last manager of the swarm',
    );
    const availability = { ...json.Spec, Labels: { a: 'b' }, Availability: 'drain' };
    expect((await update(availability)).status).toBe(200);
    expect((await call('GET', '/nodes')).json[0].Spec).toEqual(availability);
    const list = await call('GET', `/nodes?filters=${filter({ role: ['odd'] })}`);
    expect(list.status).toBe(500);
  });
});

describe('secrets and configs', () => {
  it('are made with 201, shown with or without data, and removed with 204', async () => {
    await init();
    const body = { Name: 'x', Data: Buffer.from('text').toString('base64') };
    const secret = await call('POST', '/secrets/create', body);
    expect(secret.status).toBe(201);
    expect((await call('GET', '/secrets/x')).json.Spec).toEqual({ Name: 'x', Labels: {} });
    await call('POST', '/configs/create', body);
    expect((await call('GET', '/configs')).json[0].Spec).toEqual({ ...body, Labels: {} });
    expect((await call('DELETE', '/secrets/x')).status).toBe(204);
    expect((await call('DELETE', '/configs/x')).status).toBe(204);
    const bad = await call('POST', '/secrets/create', { Name: 'y', Data: '*' });
    expect(bad.status).toBe(400);
  });
});

describe('logs', () => {
  beforeEach(async () => {
    await init();
    await call('POST', '/services/create', web());
    node.logMessages = [
      create(SubscribeLogsMessageSchema, {
        messages: [
          {
            context: { nodeId: 'n', serviceId: 's', taskId: 't' },
            timestamp: timestampFromMs(1_500),
            stream: LogStream.STDERR,
            data: Buffer.from('line\n'),
          },
        ],
      }),
    ];
  });

  const logs = (query: string) => app.inject({ method: 'GET', url: `/services/web/logs${query}` });

  it('carry details and timestamps on framed lines', async () => {
    const answer = await logs('?stdout=1&stderr=1&details=1&timestamps=1&tail=5');
    expect(answer.headers['content-type']).toBe('application/vnd.docker.multiplexed-stream');
    const text =
      '1970-01-01T00:00:01.500000000Z com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,' +
      'com.docker.swarm.task.id=t line\n';
    expect(answer.rawPayload[0]).toBe(2);
    expect(answer.rawPayload.readUInt32BE(4)).toBe(text.length);
    expect(answer.rawPayload.subarray(8).toString()).toBe(text);
    expect(node.subscriptions[0]?.options).toMatchObject({ tail: -6n, follow: false });
  });

  it('end with a line that says what is missing', async () => {
    node.logMessages = [];
    node.logError = new RpcError(Code.UNKNOWN, 'warning: incomplete log stream');
    const answer = await logs('?stdout=1');
    expect(answer.rawPayload[0]).toBe(3);
    expect(answer.rawPayload.subarray(8).toString()).toBe(
      'Error grabbing logs: rpc error: code = Unknown desc = warning: incomplete log stream\n',
    );
  });

  it.each([
    ['', 'Bad parameters: you must choose at least one stream'],
    ['?stdout=1&tail=some', 'tail value must be a positive integer or "all"'],
    ['?stdout=1&tail=-1', 'negative tail values not supported'],
  ])('refuse %s', async (query, message) => {
    const answer = await logs(query);
    expect([answer.statusCode, answer.json().message]).toEqual([500, message]);
  });
});
