import { Code, type RpcError } from '@skep/platform';
import { markOwnAgent } from '@skep/wire';
import { EndpointPort_Protocol, type NetworksUpdate } from '@skep/wire/skep';
import { NodeStatus_State, PortConfig_PublishMode, TaskState } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeOf, serviceOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { networksOfNode } from './derive.js';
import {
  BEHIND_MS,
  UPDATE_REST_MS,
  UPDATES_UNDER_WAY_MAX,
  WITHDRAWAL_MS_MAX,
  WITHDRAWN_MS_MAX,
} from './limits.js';
import { Networks } from './networks.js';
import { attachments, overlayOf, runningTask, serviceWith } from './objects.sim.js';
import { SimTables } from './tables.sim.js';
import { SimWatcher } from './watcher.sim.js';

const NODE_1 = nodeOf('n1', { attachments: attachments({ net: '10.0.1.2/24' }) });
const NODE_2 = nodeOf('n2', { attachments: attachments({ net: '10.0.1.3/24' }) });

let sim: SimRoom;
let networks: Networks;

beforeEach(async () => {
  sim = new SimRoom();
  networks = new Networks(sim.options);
  networks.start();
  await sim.put('network', overlayOf('net', 1), overlayOf('other', 2));
  await sim.put('node', NODE_1, NODE_2, nodeOf('n3'));
  await sim.put('service', webService());
  await sim.put('task', runningTask('t1', 'n1', { net: '10.0.1.5/24' }));
});

function webService() {
  const labels = { 'skep.affinity': 'client' };
  const task = { networks: [{ target: 'net', aliases: ['www'] }] };
  const spec = { annotations: { name: 'web', labels }, task };
  return serviceWith('s1', spec, { net: '10.0.1.4/24' });
}

async function watch(nodeId: string): Promise<SimWatcher> {
  const watcher = new SimWatcher(networks, nodeId);
  await rest();
  return watcher;
}

/** What can wait for company has waited. */
async function rest(): Promise<void> {
  await sim.clock.advance(UPDATE_REST_MS);
  await sim.settle();
}

/** What a node was told is what the store says. */
function expectRight(watcher: SimWatcher): void {
  const said = SimTables.of(networksOfNode(sim.store.view, watcher.nodeId));
  expect(watcher.tables.lines).toEqual(said.lines);
}

function advance(taskId: string, state: TaskState): Promise<void> {
  return sim.change('task', taskId, ({ status }) => ({ status: { ...status, state } }));
}

async function codeOf(promise: Promise<unknown>): Promise<Code | undefined> {
  const error = await promise.then(
    () => undefined,
    (reason: RpcError) => reason,
  );
  return error?.code;
}

describe('what a node is told of its networks', () => {
  it('is all of them at first', async () => {
    const { updates } = await watch('n1');
    expect(updates).toHaveLength(1);
    const [first] = updates;
    expect(first).toMatchObject({ version: 4n, complete: true, number: 1n, continued: false });
    expect(first?.networks).toMatchObject([
      {
        id: 'net',
        subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1', vni: 4_097 }],
        nodeAddress: '10.0.1.2/24',
        encrypted: false,
      },
    ]);
    expect(first?.nodes).toMatchObject([
      { nodeId: 'n1', address: '10.0.1.2/24', tunnelAddress: '127.0.0.1', ownAgent: true },
      { nodeId: 'n2', address: '10.0.1.3/24' },
    ]);
    expect(first?.services).toMatchObject([
      { name: 'web', aliases: ['www'], virtualIp: '10.0.1.4', clientAffinity: true },
    ]);
    expect(first?.endpoints).toMatchObject([
      { id: 't1', nodeId: 'n1', addresses: ['10.0.1.5/24'], name: 'web.1.t1', ready: true },
    ]);
  });

  it('is nothing, which is said, where it takes part in none', async () => {
    const { updates } = await watch('n3');
    expect(updates).toMatchObject([{ complete: true, networks: [], nodes: [], endpoints: [] }]);
  });

  it('is then what changed for it, and no other node hears of it', async () => {
    const [one, three] = [await watch('n1'), await watch('n3')];
    await sim.put('task', runningTask('t2', 'n2', { net: '10.0.1.6/24' }));
    expect(three.updates).toHaveLength(1);
    expect(one.updates).toHaveLength(2);
    expect(one.updates[1]).toMatchObject({ version: 5n, complete: false, number: 2n });
    expect(one.updates[1]?.endpoints).toMatchObject([{ id: 't2' }]);
    expect(one.updates[1]?.nodes).toEqual([]);
    expectRight(one);
  });

  it('holds a task from when a node has it until it ends, ready while it runs and is to run', async () => {
    const watcher = await watch('n2');
    const task = runningTask('t2', 'n2', { net: '10.0.1.6/24' });
    await sim.put('task', { ...task, status: { ...task.status, state: TaskState.PENDING } });
    expect(watcher.updates).toHaveLength(1);
    await advance('t2', TaskState.ASSIGNED);
    expect(watcher.last.endpoints).toMatchObject([{ id: 't2', ready: false }]);
    await advance('t2', TaskState.STARTING);
    expect(watcher.updates).toHaveLength(2);
    await advance('t2', TaskState.RUNNING);
    await rest();
    expect(watcher.last.endpoints).toMatchObject([{ id: 't2', ready: true }]);
    await sim.change('task', 't2', () => ({ desiredState: TaskState.SHUTDOWN }));
    expect(watcher.last.endpoints).toMatchObject([{ id: 't2', ready: false }]);
    await advance('t2', TaskState.SHUTDOWN);
    expect(watcher.last.gone).toMatchObject([{ networkId: 'net', id: 't2' }]);
    expectRight(watcher);
  });

  it('leaves out the tasks of a node that is down, and not of one that is not heard of yet', async () => {
    const watcher = await watch('n2');
    const setState = (state: NodeStatus_State) =>
      sim.change('node', 'n1', ({ status }) => ({ status: { ...status, state } }));
    await setState(NodeStatus_State.UNKNOWN);
    expect(watcher.updates).toHaveLength(1);
    await setState(NodeStatus_State.DOWN);
    expect(watcher.last.endpoints).toMatchObject([{ id: 't1', ready: false }]);
    expect(watcher.last.nodes).toMatchObject([{ nodeId: 'n1', down: true }]);
    await setState(NodeStatus_State.READY);
    expect(watcher.last.endpoints).toMatchObject([{ id: 't1', ready: true }]);
    await setState(NodeStatus_State.DOWN);
    await sim.remove('node', 'n1');
    expectRight(watcher);
  });

  it('begins with all of a network that the node comes into, and ends with it', async () => {
    const watcher = await watch('n3');
    const setNetworks = (addresses: Record<string, string>) =>
      sim.change('node', 'n3', () => ({
        attachments: nodeOf('n3', { attachments: attachments(addresses) }).attachments,
      }));
    await setNetworks({ net: '10.0.1.9/24' });
    expect(watcher.last).toMatchObject({ networks: [{ id: 'net' }], nodes: { length: 3 } });
    expect(watcher.last.endpoints).toHaveLength(1);
    expectRight(watcher);
    await setNetworks({ net: '10.0.1.10/24' });
    expect(watcher.last.networks).toMatchObject([{ nodeAddress: '10.0.1.10/24' }]);
    expectRight(watcher);
    await setNetworks({});
    expect(watcher.last.gone).toMatchObject([{ networkId: 'net', id: '' }]);
    expect(watcher.tables.lines).toEqual([]);
  });

  it('says where packets go, whose agent it is, and what options ask for', async () => {
    const key = new Uint8Array(32).fill(3);
    const dataPath = { address: '192.168.9.1', wireguard: { key, port: 51_820 } };
    const description = markOwnAgent(nodeOf('n2').description!, dataPath);
    await sim.change('node', 'n2', () => ({ description }));
    const options = { encrypted: '', 'com.docker.network.driver.mtu': '1300' };
    const spec = { driverConfig: { name: 'overlay', options }, internal: true };
    await sim.put('network', overlayOf('net', 1, spec));
    const { last } = await watch('n1');
    expect(last.nodes[1]).toMatchObject({ tunnelAddress: '192.168.9.1', wireguardPort: 51_820 });
    expect(last.nodes[1]?.wireguardKey).toEqual(key);
    expect(last.networks).toMatchObject([{ encrypted: true, mtuBytes: 1_300, internal: true }]);
  });

  it('has the ports of the mesh in its network alone', async () => {
    const ports = [
      { targetPort: 80, publishedPort: 8080, publishMode: PortConfig_PublishMode.INGRESS },
      { targetPort: 81, publishedPort: 8081, publishMode: PortConfig_PublishMode.HOST },
    ];
    const ingress = attachments({ ingress: '10.0.0.5/24' }, true);
    await sim.put('network', overlayOf('ingress', 0));
    const own = attachments({ ingress: '10.0.0.2/24' }, true);
    await sim.put('node', nodeOf('n4', { attachments: own }));
    const both = [...ingress, ...attachments({ net: '10.0.1.7/24' })];
    await sim.put('task', runningTask('t4', 'n4', {}, { networks: both, endpoint: { ports } }));
    const meshed = await watch('n4');
    expect(meshed.last.networks).toMatchObject([{ ingress: true }]);
    expect(meshed.last.endpoints[0]?.ports).toMatchObject([
      { protocol: EndpointPort_Protocol.TCP, targetPort: 80, publishedPort: 8080 },
    ]);
    const other = await watch('n1');
    expect(other.last.endpoints.map(({ ports: own }) => own.length)).toEqual([0, 0]);
  });

  it.each([
    ['box', ['box']],
    ['{{.Service.Name}}-{{.Task.Slot}}-{{.Node.Hostname}}', ['web-3-machine']],
    ['{{.Nothing}}', []],
    ['', []],
  ])('the host name %j of a task is one of its names', async (hostname, aliases) => {
    const description = { hostname: 'machine' };
    await sim.put('node', nodeOf('n4', { description }));
    const spec = { runtime: { case: 'container' as const, value: { hostname } } };
    await sim.put('task', runningTask('t3', 'n4', { net: '10.0.1.9/24' }, { slot: 3n, spec }));
    const { updates } = await watch('n1');
    const row = updates[0]?.endpoints.find(({ id }) => id === 't3');
    expect(row).toMatchObject({ name: 'web.3.t3', aliases });
  });

  it('names containers that somebody attached as they say', async () => {
    const runtime = { case: 'attachment', value: { containerId: 'c'.repeat(64) } } as const;
    const attach = (id: string, aliases: string[]) =>
      runningTask(
        id,
        'n1',
        {},
        {
          ...{ serviceId: '', slot: 0n, spec: { runtime } },
          networks: [{ network: { id: 'net' }, addresses: ['10.0.1.8/24'], aliases }],
        },
      );
    await sim.put('task', attach('a1', ['shell', 'sh']), attach('a2', []));
    const { last } = await watch('n2');
    expect(last.endpoints.slice(1)).toMatchObject([
      { id: 'a1', name: 'shell', aliases: ['sh'], serviceId: '' },
      { id: 'a2', name: 'cccccccccccc', aliases: [] },
    ]);
  });

  it('keeps a service in a network that it left for as long as tasks are there', async () => {
    const watcher = await watch('n1');
    const left = serviceOf('s1', { annotations: { name: 'web' } });
    await sim.put('service', left);
    expect(watcher.last.services).toMatchObject([{ serviceId: 's1', virtualIp: '' }]);
    await advance('t1', TaskState.SHUTDOWN);
    expect(watcher.last.gone).toHaveLength(2);
    expectRight(watcher);
  });
});

describe('what can wait', () => {
  const put = (id: string, host: number) =>
    sim.put('task', runningTask(id, 'n2', { net: `10.0.1.${host}/24` }));
  const ids = (update: NetworksUpdate | undefined) => update?.endpoints.map(({ id }) => id);

  it('waits a moment for company after an update, and not before that', async () => {
    const one = await watch('n1');
    await put('t2', 6);
    expect(ids(one.last)).toEqual(['t2']);
    await put('t3', 7);
    await put('t4', 8);
    expect(one.updates).toHaveLength(2);
    await rest();
    expect(one.updates).toHaveLength(3);
    expect(ids(one.last)).toEqual(['t3', 't4']);
    await rest();
    await put('t5', 9);
    expect(ids(one.last)).toEqual(['t5']);
    expectRight(one);
  });

  it('goes with what cannot: what is taken away, and networks', async () => {
    const one = await watch('n1');
    await put('t2', 6);
    await put('t3', 7);
    await sim.remove('task', 't2');
    expect(ids(one.last)).toEqual(['t3']);
    expect(one.last.gone).toMatchObject([{ id: 't2' }]);
    await put('t4', 8);
    await sim.put('network', overlayOf('net', 1, { internal: true }));
    expect(one.last).toMatchObject({ networks: [{ internal: true }], endpoints: [{ id: 't4' }] });
    expectRight(one);
  });

  it('goes at once when somebody waits for it', async () => {
    const one = await watch('n1');
    await put('t2', 6);
    await put('t3', 7);
    const { signal } = new AbortController();
    const request = { $typeName: 'skep.v1.WithdrawRequest', taskId: 't1' } as const;
    await networks.withdraw('n1', request, signal);
    await networks.withdraw('n1', request, signal);
    expect(ids(one.last)).toEqual(expect.arrayContaining(['t1', 't3']));
    await put('t4', 8);
    await networks.withdraw('n1', request, signal);
    expect(ids(one.last)).toEqual(['t4']);
  });
});

describe('a node that watches', () => {
  it('is not told more while it has too much to do, and then all at once', async () => {
    const watcher = await watch('n1');
    watcher.holds = true;
    for (let round = 0; round < 3 * UPDATES_UNDER_WAY_MAX; round++) {
      const state = round % 2 === 0 ? TaskState.SHUTDOWN : TaskState.RUNNING;
      await sim.change('task', 't1', () => ({ desiredState: state }));
    }
    expect(watcher.updates).toHaveLength(1 + UPDATES_UNDER_WAY_MAX);
    watcher.release();
    await sim.settle();
    expect(watcher.updates).toHaveLength(2 + UPDATES_UNDER_WAY_MAX);
    expectRight(watcher);
  });

  it('is named when it does not apply what it is told', async () => {
    const told = vi.spyOn(sim.log, 'warn');
    const [stuck, well] = [await watch('n1'), await watch('n2')];
    stuck.holds = true;
    await sim.change('task', 't1', () => ({ desiredState: TaskState.SHUTDOWN }));
    expect([...networks.watching]).toEqual([
      ['n1', 1],
      ['n2', 0],
    ]);
    await sim.clock.advance(BEHIND_MS);
    await sim.clock.advance(BEHIND_MS);
    expect(told.mock.calls.map(([fields]) => fields)).toEqual([{ nodeId: 'n1', updates: 1 }]);
    told.mockRestore();
    well.abort.abort();
    stuck.abort.abort();
    await sim.settle();
    expect(sim.clock.pendingTimers).toBe(0);
  });

  it('has one call: a second ends the first', async () => {
    const first = await watch('n1');
    const second = await watch('n1');
    expect((first.failure as RpcError | undefined)?.code).toBe(Code.ABORTED);
    await sim.put('task', runningTask('t2', 'n2', { net: '10.0.1.6/24' }));
    expect(second.updates).toHaveLength(2);
  });

  it('is refused when it is unknown, acknowledges what there was not, or nobody leads', async () => {
    expect(((await watch('n9')).failure as RpcError).code).toBe(Code.NOT_FOUND);
    const liar = await watch('n1');
    liar.acknowledge(2n);
    await sim.settle();
    expect((liar.failure as RpcError).code).toBe(Code.INVALID_ARGUMENT);
    const watcher = await watch('n2');
    await networks.stop();
    await sim.settle();
    expect((watcher.failure as RpcError).code).toBe(Code.ABORTED);
    expect(((await watch('n2')).failure as RpcError).code).toBe(Code.ABORTED);
    expect(sim.clock.pendingTimers).toBe(0);
  });

  it('is let go when it leaves the swarm', async () => {
    const watcher = await watch('n3');
    await sim.remove('node', 'n3');
    await sim.settle();
    expect((watcher.failure as RpcError).code).toBe(Code.ABORTED);
  });
});

describe('a task that is withdrawn', () => {
  const { signal } = new AbortController();
  const withdraw = (taskId: string, nodeId = 'n1') =>
    networks.withdraw(nodeId, { $typeName: 'skep.v1.WithdrawRequest', taskId }, signal);

  it('is out of use on every node that watches when that is answered', async () => {
    const watchers = [await watch('n1'), await watch('n2'), await watch('n3')];
    for (const watcher of watchers) watcher.holds = true;
    let isAnswered = false;
    const answer = withdraw('t1').finally(() => {
      isAnswered = true;
    });
    await sim.settle();
    expect(watchers.map(({ tables }) => tables.isReady('t1'))).toEqual([false, false, false]);
    expect(watchers[0]?.last).toMatchObject({ version: 4n, number: 2n, complete: false });
    watchers[0]?.release();
    await sim.settle();
    expect(isAnswered).toBe(false);
    watchers[1]?.release();
    await sim.settle();
    expect((await answer).waitedInVainFor).toEqual([]);
    await rest();
    expect(sim.clock.pendingTimers).toBe(1); // that of the withdrawal itself
  });

  it('waits for no node that is gone, and not for long for one that is stuck', async () => {
    const [one, two] = [await watch('n1'), await watch('n2')];
    one.holds = true;
    two.holds = true;
    const answer = withdraw('t1');
    await sim.settle();
    two.abort.abort();
    await sim.clock.advance(WITHDRAWAL_MS_MAX);
    expect((await answer).waitedInVainFor).toEqual(['n1']);
  });

  it('does not wait again for a node that has been stuck for long, until that goes on', async () => {
    const one = await watch('n1');
    one.holds = true;
    await sim.change('task', 't1', () => ({ desiredState: TaskState.SHUTDOWN }));
    await sim.clock.advance(BEHIND_MS);
    expect((await withdraw('t1')).waitedInVainFor).toEqual(['n1']);
    one.release();
    await sim.settle();
    expect((await withdraw('t1')).waitedInVainFor).toEqual([]);
  });

  it('is waited for as well when the store has said so before', async () => {
    const two = await watch('n2');
    two.holds = true;
    await sim.change('task', 't1', () => ({ desiredState: TaskState.SHUTDOWN }));
    const answer = withdraw('t1');
    await sim.settle();
    expect(two.updates).toHaveLength(2);
    two.release();
    await sim.settle();
    expect((await answer).waitedInVainFor).toEqual([]);
  });

  it('waits for no update that there is nothing to tell in', async () => {
    await watch('n2');
    await withdraw('t1');
    let answer: ReturnType<typeof withdraw> | undefined;
    const unsubscribe = sim.store.subscribe(() => {
      answer = withdraw('t1');
    });
    await sim.put('network', overlayOf('other', 3));
    unsubscribe();
    expect((await answer)?.waitedInVainFor).toEqual([]);
  });

  it('takes part again when it still runs after a long time, and is forgotten when it ends', async () => {
    const two = await watch('n2');
    await withdraw('t1');
    expect(two.tables.isReady('t1')).toBe(false);
    await sim.clock.advance(WITHDRAWN_MS_MAX);
    expect(two.tables.isReady('t1')).toBe(true);
    await withdraw('t1');
    await advance('t1', TaskState.SHUTDOWN);
    await rest();
    expect(sim.clock.pendingTimers).toBe(0);
  });

  it('is the calling node’s own, and there is nothing to do for one that is gone', async () => {
    expect(await codeOf(withdraw('t1', 'n2'))).toBe(Code.PERMISSION_DENIED);
    expect((await withdraw('t9')).waitedInVainFor).toEqual([]);
    await networks.stop();
    expect(await codeOf(withdraw('t1'))).toBe(Code.ABORTED);
  });
});

it('sends what is large in several messages that are one update', async () => {
  const tasks = Array.from({ length: 2_500 }, (_, at) =>
    runningTask(`m${at}`, 'n1', { net: `10.0.${2 + (at >> 8)}.${at & 255}/24` }),
  );
  await sim.put('task', ...tasks.slice(0, 1_200));
  await sim.put('task', ...tasks.slice(1_200));
  const watcher = await watch('n2');
  const messages: NetworksUpdate[] = watcher.messages;
  expect(messages.map(({ continued, number }) => [continued, number])).toEqual([
    [true, 1n],
    [true, 1n],
    [false, 1n],
  ]);
  expectRight(watcher);
});
