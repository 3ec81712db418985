import { create } from '@bufbuild/protobuf';
import { Code, RpcError, silentLogger } from '@skep/platform';
import { UnknownOutcomeError } from '@skep/store';
import { completeObject } from '@skep/wire';
import { NodeRole, NodeSchema, RaftMemberStatus_Reachability } from '@skep/wire/swarmkit';
import type { FastifyInstance } from 'fastify';
import { beforeEach, describe, expect, it } from 'vitest';
import { createServer } from '../../server/server.js';
import { MEMBERSHIP_TEXTS } from '../errors.js';
import { swarmHeader, swarmInfo } from '../info.js';
import { SimSwarmNode } from '../node.sim.js';
import { allSwarmRoutes } from './index.js';

const { REACHABLE, UNREACHABLE } = RaftMemberStatus_Reachability;

let node: SimSwarmNode;
let app: FastifyInstance;
/** Of the node's only link. */
let ownAddresses: string[];

beforeEach(() => {
  node = new SimSwarmNode();
  ownAddresses = ['10.1.0.5'];
  const eth0 = { name: 'eth0', up: true, loopback: false, device: true, addresses: ownAddresses };
  const addresses = {
    interfaces: () => [eth0],
    defaultAdvertiseAddress: '',
    ownSubnets: () => [],
  };
  const { clock, random } = node;
  const images = { pinned: async (image: string) => image };
  const deps = { node, clock, random, addresses, localNetwork: async () => undefined, images };
  app = createServer({ log: silentLogger, serverName: 'test' }, allSwarmRoutes(deps));
});

async function call(method: 'GET' | 'POST' | 'DELETE', url: string, body?: object) {
  const answer = await app.inject({ method, url, ...(body ? { payload: body } : {}) });
  const { statusCode: status, body: text } = answer;
  return { status, json: text === '' ? undefined : JSON.parse(text) };
}

const init = (changes: object = {}) =>
  call('POST', '/swarm/init', { ListenAddr: '0.0.0.0:2377', ...changes });
const info = () => swarmInfo(node, node.clock);
const refused = (status: number, message: string) => ({ status, json: { message } });

/** More managers beside this one, which leads. */
async function addManagers(...states: RaftMemberStatus_Reachability[]): Promise<void> {
  for (const [at, reachability] of states.entries()) {
    const nodeId = `m${at + 2}`;
    const spec = { desiredRole: NodeRole.MANAGER };
    const object = create(NodeSchema, { id: nodeId, role: NodeRole.MANAGER, spec });
    await node.store.update((tx) => tx.create('node', completeObject('node', object)));
    const address = `10.1.0.${at + 6}:2377`;
    node.members.push({ raftId: BigInt(at + 100), nodeId, address, leader: false, reachability });
  }
}

/** What the CLI asks of a manager, one way or the other. */
const MANAGER_CALLS: ['GET' | 'POST' | 'DELETE', string, object?][] = [
  ['GET', '/swarm'],
  ['POST', '/swarm/update?version=1', {}],
  ['GET', '/swarm/unlockkey'],
  ['GET', '/nodes'],
  ['GET', '/nodes/x'],
  ['DELETE', '/nodes/x?force=1'],
  ['POST', '/nodes/x/update?version=1', { Role: 'worker', Availability: 'active' }],
  ['GET', '/services'],
  ['GET', '/services/x'],
  ['DELETE', '/services/x'],
  ['GET', '/services/x/logs?stdout=1'],
  ['POST', '/services/create', { TaskTemplate: { ContainerSpec: { Image: 'a' } } }],
  ['GET', '/tasks'],
  ['GET', '/tasks/x'],
  ['GET', '/tasks/x/logs?stdout=1'],
  ['GET', '/secrets'],
  ['POST', '/secrets/create', { Name: 'x', Data: 'eA==' }],
  ['DELETE', '/secrets/x'],
  ['GET', '/configs/x'],
  ['POST', '/configs/x/update?version=1', { Name: 'x' }],
];

describe('a node that is no working manager', () => {
  it.each([
    ['inactive', 'noSwarm'],
    ['active', 'worker'],
    ['active', 'notReady'],
    ['locked', 'locked'],
    ['error', 'certificatesExpired'],
  ] as const)('%s (%s) refuses everything about the cluster with 503', async (state, reason) => {
    node.become(state, reason);
    for (const [method, url, body] of MANAGER_CALLS) {
      const answer = await call(method, url, body);
      expect([url, answer]).toEqual([url, refused(503, MEMBERSHIP_TEXTS[reason])]);
    }
  });

  it.each([
    [
      'notReady',
      'This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.',
    ],
    [
      'certificatesExpired',
      'Swarm certificates have expired. To replace them, leave the swarm and join again.',
    ],
  ] as const)('says %s in Docker’s words', async (reason, text) => {
    node.become('error', reason);
    expect(await call('GET', '/nodes')).toEqual(refused(503, text));
  });

  it('is part of a swarm all the same', async () => {
    for (const state of ['active', 'pending', 'locked', 'error'] as const) {
      node.become(state, 'worker');
      const join = { ListenAddr: '0.0.0.0:2377', RemoteAddrs: ['a:1'] };
      const text = MEMBERSHIP_TEXTS.alreadyInSwarm;
      expect(await call('POST', '/swarm/join', join)).toEqual(refused(503, text));
      expect(await init()).toEqual(refused(503, text));
    }
  });

  it('on a worker makes no new cluster of what it has not', async () => {
    node.become('active', 'worker');
    const answer = await init({ ForceNewCluster: true });
    expect(answer).toEqual(refused(503, MEMBERSHIP_TEXTS.worker));
  });
});

it('that listens everywhere and has several addresses is asked for one, where the advertised is not its own', async () => {
  ownAddresses.push('10.2.0.5');
  const text =
    "must specify a listening address because the address to advertise is not recognized as a system address, and a system's IP address to use could not be uniquely identified";
  expect(await init({ AdvertiseAddr: '192.0.2.1' })).toEqual(refused(400, text));
});

describe('docker info', () => {
  it('on a worker names the managers, and nothing of the cluster', async () => {
    node.become('active', 'worker');
    await addManagers(REACHABLE);
    expect(await info()).toEqual({
      NodeID: 'node-one',
      NodeAddr: '',
      LocalNodeState: 'active',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: [{ NodeID: 'm2', Addr: '10.1.0.6:2377' }],
    });
    expect(swarmHeader(node)).toBe('active/worker');
  });

  it('on a locked manager says how to go on', async () => {
    node.become('locked', 'locked');
    expect(await info()).toMatchObject({
      LocalNodeState: 'locked',
      ControlAvailable: false,
      Error: MEMBERSHIP_TEXTS.locked,
    });
    expect(swarmHeader(node)).toBe('locked');
  });

  it('on a manager that prepares itself is that of a manager', async () => {
    node.become('active', 'notReady');
    expect(await info()).toMatchObject({ LocalNodeState: 'active', ControlAvailable: false });
    expect(swarmHeader(node)).toBe('active/manager');
  });

  it('counts nodes and managers, and warns of two', async () => {
    await init();
    await addManagers(REACHABLE);
    expect(await info()).toMatchObject({
      Nodes: 2,
      Managers: 2,
      Warnings: [expect.stringMatching(/^WARNING: Running Swarm in a two-manager configuration\./)],
    });
    node.members.pop();
    expect(await info()).toMatchObject({ Nodes: 2, Managers: 1 });
    expect(await info()).not.toHaveProperty('Warnings');
  });

  it('says that there is no leader, and still answers', async () => {
    await init();
    breakControl(new RpcError(Code.UNKNOWN, 'The swarm does not have a leader.'));
    expect(await info()).toMatchObject({
      LocalNodeState: 'active',
      ControlAvailable: true,
      Error: 'rpc error: code = Unknown desc = The swarm does not have a leader.',
    });
  });
});

/** Has every call of the manager fail. */
function breakControl(error: Error): void {
  const broken = new Proxy({}, { get: () => () => Promise.reject(error) });
  node.control = () => broken as never;
}

describe('a manager that cannot do what it should', () => {
  it.each([
    [500, 'Unknown', new RpcError(Code.UNKNOWN, 'The swarm does not have a leader.')],
    [500, 'DeadlineExceeded', new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded')],
    [503, 'Unavailable', new RpcError(Code.UNAVAILABLE, '1 of 3 managers reachable, 2 needed')],
    [500, 'Aborted', new UnknownOutcomeError(new Error('leadership was lost'))],
  ])('answers %i, in the words of gRPC: %s', async (status, code, error) => {
    await init();
    breakControl(error);
    const message = `rpc error: code = ${code} desc = ${error.message}`;
    expect(await call('GET', '/nodes')).toEqual(refused(status, message));
    const spec = { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'a' } } };
    expect(await call('POST', '/services/create', spec)).toEqual(refused(status, message));
  });

  it('is waited for no longer than 20 s', async () => {
    await init();
    const { control } = node;
    node.control = () => new Proxy(control.call(node), { get: () => () => new Promise(() => {}) });
    const answer = call('GET', '/nodes');
    await new Promise(setImmediate); // the request reaches its route by way of the event loop
    await node.clock.advance(20_000);
    expect((await answer).json.message).toBe(
      'rpc error: code = DeadlineExceeded desc = context deadline exceeded',
    );
  });
});

describe('leaving without force', () => {
  const leave = () => call('POST', '/swarm/leave');
  const START =
    'You are attempting to leave the swarm on a node that is participating as a manager. ';
  const END =
    'The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. Use `--force` to suppress this message.';

  it('is nothing to a worker', async () => {
    node.become('active', 'worker');
    expect((await leave()).status).toBe(200);
    expect(node.left).toEqual([false]);
  });

  it('outside a swarm makes no sense', async () => {
    expect(await leave()).toEqual(refused(503, 'This node is not part of a swarm'));
  });

  it('on a locked node asks for the key first', async () => {
    node.become('locked', 'locked');
    const message =
      'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.';
    expect(await leave()).toEqual(refused(503, message));
  });

  it('as the last manager would erase the swarm', async () => {
    await init();
    const message = `${START}Removing the last manager erases all current state of the swarm. Use \`--force\` to ignore this message. `;
    expect(await leave()).toEqual(refused(503, message));
    expect(node.left).toEqual([]);
    expect((await call('POST', '/swarm/leave?force=true')).status).toBe(200);
    expect(node.left).toEqual([true]);
  });

  it.each([
    ['1 managers out of 2', [REACHABLE]],
    ['0 managers out of 2', [UNREACHABLE]],
    ['1 managers out of 3', [REACHABLE, UNREACHABLE]],
    ['2 managers out of 5', [REACHABLE, REACHABLE, UNREACHABLE, UNREACHABLE]],
    ['', [REACHABLE, REACHABLE]],
    ['', [REACHABLE, REACHABLE, REACHABLE, UNREACHABLE]],
  ])('as a manager, leaving %s', async (rest, others) => {
    await init();
    await addManagers(...others);
    const loss = `Removing this node leaves ${rest}. Without a Raft quorum your swarm will be inaccessible. `;
    expect(await leave()).toEqual(refused(503, START + (rest ? loss : '') + END));
  });

  it('as a manager that does not work may be worse', async () => {
    node.become('active', 'notReady');
    const middle = 'Doing so may lose the consensus of your cluster. ';
    expect(await leave()).toEqual(refused(503, START + middle + END));
  });

  it('as a manager of a swarm without a leader says what it can', async () => {
    await init();
    breakControl(new RpcError(Code.UNKNOWN, 'The swarm does not have a leader.'));
    expect(await leave()).toEqual(refused(503, START + END));
  });
});

describe('joining', () => {
  const join = (changes: object) =>
    call('POST', '/swarm/join', { ListenAddr: '0.0.0.0:2377', RemoteAddrs: ['m:1'], ...changes });

  it.each([
    ['at least 1 RemoteAddr is required to join', { RemoteAddrs: [] }],
    ['at least 1 RemoteAddr is required to join', { RemoteAddrs: null }],
    ['invalid remoteAddr "": invalid address', { RemoteAddrs: [''] }],
    ['invalid ListenAddr "": invalid address', { ListenAddr: '' }],
    [
      'listen address must be an IP address or network interface (with optional port number)',
      { ListenAddr: 'nowhere:2377' },
    ],
    [
      'data path address must be a non-zero IP address or network interface (without a port number)',
      { DataPathAddr: '0.0.0.0' },
    ],
    ['invalid Availability: "lazy"', { Availability: 'lazy' }],
  ])('is refused: %s', async (message, changes) => {
    expect(await join(changes)).toEqual(refused(400, message));
    expect(node.joins).toEqual([]);
  });

  it('fills in ports, and leaves a useless address to the manager to find out', async () => {
    await join({ RemoteAddrs: ['10.1.0.9', 'm2:4000'], AdvertiseAddr: 'eth0:3000' });
    await join({ AdvertiseAddr: '0.0.0.0', Availability: 'drain' });
    await join({ AdvertiseAddr: 'eth9' });
    expect(node.joins).toMatchObject([
      { remoteAddresses: ['10.1.0.9:2377', 'm2:4000'], advertiseAddress: '10.1.0.5:3000' },
      { advertiseAddress: '', availability: 2 },
      { advertiseAddress: '' },
    ]);
  });
});

describe('unlocking', () => {
  const KEY = 'SWMKEY-1-7c37Cc8654o6p38HnroywCi19pllOnGtbdZEgtKxZu8';
  const unlock = (UnlockKey: string) => call('POST', '/swarm/unlock', { UnlockKey });

  it('takes the right key, and tells a wrong one from none', async () => {
    node.become('locked', 'locked');
    node.key = KEY;
    for (const text of ['', 'secret', 'SWMKEY-1-*', 'SWMKEY-1-abcde', `${KEY}=`]) {
      expect(await unlock(text)).toEqual(refused(400, 'invalid key string'));
    }
    const wrong = 'swarm could not be unlocked: invalid key provided';
    expect(await unlock('SWMKEY-1-abcd')).toEqual(refused(401, wrong));
    expect((await unlock(KEY)).status).toBe(200);
    expect(await unlock(KEY)).toEqual(refused(409, 'swarm is not locked'));
    expect((await call('GET', '/swarm/unlockkey')).json).toEqual({ UnlockKey: KEY });
  });

  it('a worker has no lock', async () => {
    node.become('active', 'worker');
    expect(await unlock(KEY)).toEqual(refused(503, MEMBERSHIP_TEXTS.worker));
  });
});

describe('nodes', () => {
  it('show who manages, who leads and who cannot be reached', async () => {
    await init();
    await addManagers(REACHABLE, UNREACHABLE);
    const worker = create(NodeSchema, { id: 'w', status: { state: 1, addr: '10.1.0.20' } });
    await node.store.update((tx) => tx.create('node', completeObject('node', worker)));
    const { json } = await call('GET', '/nodes');
    const shown = json.map((one: { ID: string; ManagerStatus?: object }) => [
      one.ID,
      one.ManagerStatus,
    ]);
    expect(Object.fromEntries(shown)).toEqual({
      'node-one': { Leader: true, Reachability: 'reachable', Addr: '10.1.0.5:2377' },
      m2: { Reachability: 'reachable', Addr: '10.1.0.6:2377' },
      m3: { Reachability: 'unreachable', Addr: '10.1.0.7:2377' },
      w: undefined,
    });
  });

  it('are promoted, demoted and removed, or it is said why not', async () => {
    await init();
    await addManagers(REACHABLE, REACHABLE);
    const become = async (id: string, Role: string) => {
      const { Spec, Version } = (await call('GET', `/nodes/${id}`)).json;
      return call('POST', `/nodes/${id}/update?version=${Version.Index}`, { ...Spec, Role });
    };
    const words = (text: string) => `rpc error: code = FailedPrecondition desc = ${text}`;
    expect(await become('m2', 'worker')).toEqual(
      refused(
        400,
        words("can't remove member from the raft: this would result in a loss of quorum"),
      ),
    );
    expect(await call('DELETE', '/nodes/m2?force=1')).toEqual(
      refused(
        400,
        words(
          'node m2 is a cluster manager and is a member of the raft cluster. It must be demoted to worker before removal',
        ),
      ),
    );
    node.canRemoveMembers = true;
    expect((await become('m2', 'worker')).status).toBe(200);
    expect((await call('GET', '/nodes/m2')).json.Spec.Role).toBe('worker');
    expect((await become('m2', 'manager')).status).toBe(200);
    expect(await call('DELETE', '/nodes/nobody')).toEqual(refused(404, 'node nobody not found'));
  });
});
