import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import { completeObject, durationFromMs } from '@skep/wire';
import {
  ClusterSpecSchema,
  CreateConfigRequestSchema,
  CreateSecretRequestSchema,
  GetClusterRequestSchema,
  GetConfigRequestSchema,
  GetNodeRequestSchema,
  GetSecretRequestSchema,
  ListNodesRequestSchema,
  ListSecretsRequestSchema,
  ListTasksRequestSchema,
  NodeRole,
  NodeSpec_Availability,
  NodeStatus_State,
  RaftMemberStatus_Reachability,
  RemoveNodeRequestSchema,
  TaskSchema,
  TaskState,
  UpdateClusterRequestSchema,
  UpdateNodeRequestSchema,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Fields, failure, SimControl } from './fixture.sim.js';

let sim: SimControl;
beforeEach(() => {
  sim = new SimControl();
});

const bytes = (text: string) => new TextEncoder().encode(text);

describe('secrets', () => {
  const make = (name: string, data: Uint8Array, extra: object = {}) =>
    sim.control.createSecret(
      create(CreateSecretRequestSchema, { spec: { annotations: { name }, data, ...extra } }),
    );

  it('never shows data again', async () => {
    const { secret } = await make('key', bytes('hidden'));
    expect(secret?.spec?.data).toHaveLength(0);
    const request = create(GetSecretRequestSchema, { secretId: secret!.id });
    expect((await sim.control.getSecret(request)).secret?.spec?.data).toHaveLength(0);
    const list = await sim.control.listSecrets(create(ListSecretsRequestSchema));
    expect(list.secrets[0]?.spec?.data).toHaveLength(0);
    expect(sim.store.view.get('secret', secret!.id)?.spec.data).toEqual(bytes('hidden'));
  });

  it.each([
    ['name must be provided', '', 1],
    [
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]',
      '.a',
      1,
    ],
    ['secret data must be larger than 0 and less than 512000 bytes', 'a', 0],
    ['secret data must be larger than 0 and less than 512000 bytes', 'a', 512_000],
  ])('refuses: %s', async (text, name, size) => {
    expect(await failure(make(name, new Uint8Array(size)))).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: text,
    });
  });

  it('takes one byte less than the limit, and no driver', async () => {
    await make('big', new Uint8Array(511_999));
    const unnamed = await failure(make('x', new Uint8Array(), { driver: {} }));
    expect(unnamed.message).toBe('secret driver must have a name');
    const driven = await failure(make('x', new Uint8Array(), { driver: { name: 'vault' } }));
    expect(driven.message).toMatch(/^secret drivers are plugins, which this engine does not run/);
  });

  it('is there once, whoever makes it at the same time', async () => {
    const [first, second] = await Promise.allSettled([
      make('key', bytes('a')),
      make('KEY', bytes('b')),
    ]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ reason: { message: 'secret KEY already exists' } });
  });
});

describe('configs', () => {
  it('give their data back', async () => {
    const spec = { annotations: { name: 'c' }, data: bytes('shown') };
    const { config } = await sim.control.createConfig(create(CreateConfigRequestSchema, { spec }));
    const request = create(GetConfigRequestSchema, { configId: config!.id });
    expect((await sim.control.getConfig(request)).config?.spec?.data).toEqual(bytes('shown'));
    const empty = create(CreateConfigRequestSchema, { spec: { annotations: { name: 'd' } } });
    expect((await failure(sim.control.createConfig(empty))).message).toBe(
      'config data must be larger than 0 and less than 1024000 bytes',
    );
  });
});

describe('nodes', () => {
  const READY = { state: NodeStatus_State.READY };
  const spec = { desiredRole: NodeRole.MANAGER };
  const manager = (id: string) =>
    sim.put('node', { id, role: NodeRole.MANAGER, spec, status: READY });
  const update = (nodeId: string, change: object) =>
    sim.control.updateNode(
      create(UpdateNodeRequestSchema, {
        nodeId,
        nodeVersion: { index: sim.store.view.get('node', nodeId)!.meta.version.index },
        spec: { desiredRole: NodeRole.MANAGER, ...change },
      }),
    );
  const member = (nodeId: string) => ({
    raftId: 7n,
    nodeId,
    address: '10.0.0.1:2377',
    leader: true,
    reachability: RaftMemberStatus_Reachability.REACHABLE,
  });

  it('shows the manager status of the consensus room', async () => {
    await manager('n1');
    sim.members.push(member('n1'));
    const { node } = await sim.control.getNode(create(GetNodeRequestSchema, { nodeId: 'n1' }));
    expect(node?.managerStatus).toMatchObject({ leader: true, addr: '10.0.0.1:2377' });
  });

  it('demotes only while managers and a quorum remain', async () => {
    await manager('n1');
    const demote = () => update('n1', { desiredRole: NodeRole.WORKER });
    expect((await failure(demote())).message).toBe(
      'attempting to demote the last manager of the swarm',
    );
    await manager('n2');
    expect(await failure(demote())).toMatchObject({
      code: Code.NOT_FOUND,
      message: "can't find manager in raft memberlist",
    });
    sim.members.push(member('n1'));
    expect((await failure(demote())).message).toContain('this would result in a loss of quorum');
    sim.canRemoveMembers = true;
    await demote();
    await update('n2', { availability: NodeSpec_Availability.DRAIN });
    expect(sim.store.view.get('node', 'n2')?.spec.availability).toBe(NodeSpec_Availability.DRAIN);
  });

  it('removes a node that is down or forced, and refuses its certificate from then on', async () => {
    await sim.put('cluster', { id: 'c', spec: { annotations: { name: 'default' } } });
    await manager('n1');
    sim.members.push(member('n1'));
    const remove = (nodeId: string, force: boolean) =>
      sim.control.removeNode(create(RemoveNodeRequestSchema, { nodeId, force }));
    expect((await failure(remove('n1', true))).message).toBe(
      'node n1 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal',
    );
    await sim.put('node', { id: 'w', status: READY });
    expect((await failure(remove('w', false))).message).toBe(
      "node w is not down and can't be removed",
    );
    await remove('w', true);
    expect(sim.store.view.get('node', 'w')).toBeUndefined();
    expect(Object.keys(sim.store.view.get('cluster', 'c')!.blacklistedCertificates)).toEqual(['w']);
  });

  it('does not let the last two managers be sent off at once', async () => {
    await manager('n1');
    await manager('n2');
    sim.members.push(member('n1'), member('n2'));
    sim.canRemoveMembers = true;
    await update('n1', { desiredRole: NodeRole.WORKER });
    expect((await failure(update('n2', { desiredRole: NodeRole.WORKER }))).message).toBe(
      'attempting to demote the last manager of the swarm',
    );
  });

  it('takes only roles and availabilities that there are', async () => {
    await manager('n1');
    for (const change of [{ desiredRole: 7 }, { availability: 3 }, { membership: 9 }]) {
      expect(await failure(update('n1', change))).toMatchObject({ code: Code.INVALID_ARGUMENT });
    }
    const old = create(UpdateNodeRequestSchema, {
      nodeId: 'n1',
      nodeVersion: { index: 0n },
      spec: { desiredRole: NodeRole.MANAGER },
    });
    await update('n1', { availability: NodeSpec_Availability.PAUSE });
    expect((await failure(sim.control.updateNode(old))).message).toBe('update out of sequence');
    expect((await failure(sim.control.updateNode({ ...old, nodeId: 'x' }))).message).toBe(
      'node x not found',
    );
  });

  it.each([3, 4_000])('gives up the %i tasks of a node it removes', async (count) => {
    await sim.put('cluster', { id: 'c', spec: { annotations: { name: 'default' } } });
    await sim.put('node', { id: 'w', status: { state: NodeStatus_State.DOWN } });
    const value = { image: 'nginx', env: ['X='.padEnd(500, 'x')] };
    const spec = { runtime: { case: 'container', value } } as const;
    const states = [TaskState.RUNNING, TaskState.NEW, TaskState.COMPLETE];
    const tasks = Array.from({ length: count }, (_, at) =>
      completeObject(
        'task',
        create(TaskSchema, { id: `t${at}`, nodeId: 'w', spec, status: { state: states[at % 3]! } }),
      ),
    );
    await sim.store.batch(tasks, (tx, task) => void tx.create('task', task));
    const commits: number[] = [];
    sim.store.subscribe(({ changes }) => void commits.push(changes.length));
    await sim.control.removeNode(create(RemoveNodeRequestSchema, { nodeId: 'w' }));
    expect(sim.store.view.get('node', 'w')).toBeUndefined();
    expect(sim.store.view.get('task', 't0')?.status).toMatchObject({
      state: TaskState.ORPHANED,
      message: 'Task belonged to a node that has been deleted',
    });
    const now = [...sim.store.view.all('task')].map(({ status }) => status.state);
    expect(new Set(now)).toEqual(new Set([TaskState.ORPHANED, TaskState.COMPLETE]));
    if (count === 3) expect(commits).toEqual([4]);
  });

  it('filters by host name, engine label, node label and role', async () => {
    await sim.put('node', {
      id: 'a1',
      role: NodeRole.MANAGER,
      description: { hostname: 'alpha', engine: { labels: { disk: 'ssd' } } },
      spec: { annotations: { labels: { zone: 'eu' } } },
    });
    await sim.put('node', { id: 'b1', description: { hostname: 'beta' } });
    await sim.put('node', { id: 'c1' });
    const ids = async (filters: object) => {
      const request = create(ListNodesRequestSchema, { filters });
      return (await sim.control.listNodes(request)).nodes.map((node) => node.id);
    };
    expect(await ids({ namePrefixes: ['al'] })).toEqual(['a1']);
    expect(await ids({ labels: { disk: 'ssd' } })).toEqual(['a1']);
    expect(await ids({ nodeLabels: { zone: '' } })).toEqual(['a1']);
    expect(await ids({ roles: [NodeRole.WORKER] })).toEqual(['b1', 'c1']);
    expect(await ids({})).toHaveLength(3);
  });
});

describe('tasks', () => {
  it('filters by service, state, name, service label and up-to-date', async () => {
    const container = { case: 'container', value: { image: 'a' } } as const;
    const spec = { runtime: container };
    const service = { id: 's', specVersion: { index: 4n }, spec: { task: spec } };
    await sim.put('service', service);
    const task = { serviceId: 's', serviceAnnotations: { name: 'web', labels: { l: '1' } }, spec };
    const old = { runtime: { case: 'container', value: { image: 'b' } } } as const;
    await sim.put('task', { ...task, id: 't1', slot: 1n, specVersion: { index: 4n } });
    await sim.put('task', {
      ...task,
      id: 't2',
      slot: 2n,
      specVersion: { index: 3n },
      desiredState: TaskState.SHUTDOWN,
      spec: old,
    });
    await sim.put('task', { id: 'a', spec: { runtime: { case: 'attachment', value: {} } } });
    const ids = async (filters: object) => {
      const request = create(ListTasksRequestSchema, { filters });
      return (await sim.control.listTasks(request)).tasks.map(({ id }) => id);
    };
    expect(await ids({ serviceIds: ['s'] })).toEqual(['t1', 't2']);
    expect(await ids({ desiredStates: [TaskState.SHUTDOWN] })).toEqual(['t2']);
    expect(await ids({ names: ['web.1.t1'] })).toEqual(['t1']);
    expect(await ids({ labels: { l: '1' }, idPrefixes: ['t2'] })).toEqual(['t2']);
    expect(await ids({ serviceIds: ['s'], upToDate: true })).toEqual(['t1']);
    expect(await ids({ runtimes: ['container'] })).toEqual(['t1', 't2']);
    expect(await ids({ serviceIds: ['none'] })).toEqual([]);
  });
});

describe('cluster', () => {
  const update = (change: Fields<typeof ClusterSpecSchema>, rotation = {}) =>
    sim.control.updateCluster(
      create(UpdateClusterRequestSchema, {
        clusterId: 'c',
        clusterVersion: { index: sim.store.view.get('cluster', 'c')!.meta.version.index },
        spec: create(ClusterSpecSchema, { annotations: { name: 'default' }, ...change }),
        rotation,
      }),
    );

  beforeEach(async () => {
    await sim.put('cluster', {
      id: 'c',
      spec: { annotations: { name: 'default' } },
      rootCa: {
        caKey: bytes('key'),
        caCert: bytes('pem'),
        joinTokens: { worker: 'w', manager: 'm' },
      },
      networkBootstrapKeys: [{ key: bytes('gossip') }],
    });
  });

  it('never shows keys', async () => {
    const { cluster } = await sim.control.getCluster(
      create(GetClusterRequestSchema, { clusterId: 'c' }),
    );
    expect(cluster?.rootCa?.caKey).toHaveLength(0);
    expect(cluster?.networkBootstrapKeys).toEqual([]);
    expect(cluster?.rootCa?.joinTokens).toMatchObject({ worker: 'w', manager: 'm' });
  });

  it('rotates the join tokens it is asked to', async () => {
    const { cluster } = await update({}, { workerJoinToken: true });
    expect(cluster?.rootCa?.joinTokens).toMatchObject({ worker: 'SWMTKN-1-3-1', manager: 'm' });
    expect(sim.store.view.get('cluster', 'c')?.rootCa.caKey).toEqual(bytes('key'));
  });

  it.each([
    [
      'minimum certificate expiry time is: 1h0m0s',
      { caConfig: { nodeCertExpiry: durationFromMs(3_599_999) } },
    ],
    [
      'heartbeat time period cannot be a negative duration',
      { dispatcher: { heartbeatPeriod: durationFromMs(-1) } },
    ],
    ['modification of cluster name is not allowed', { annotations: { name: 'other' } }],
    [
      'if a signing CA key is provided, the signing CA cert must also be provided',
      { caConfig: { signingCaKey: bytes('k') } },
    ],
  ])('refuses: %s', async (text, change) => {
    expect(await failure(update(change))).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: text,
    });
  });
});
