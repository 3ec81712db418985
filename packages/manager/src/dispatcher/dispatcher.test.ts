import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import { durationFromMs, durationMs, OWN_AGENT } from '@skep/wire';
import {
  NodeStatus_State,
  type SessionMessage,
  SessionRequestSchema,
  TaskState,
  type TaskStatus,
  TaskStatusSchema,
  UpdateTaskStatusRequestSchema,
  UpdateVolumeStatusRequestSchema,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { clusterOf, nodeOf, taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { Dispatcher } from './dispatcher.js';
import { STATUS_QUEUE_MAX } from './limits.js';
import type { ManagerPeer } from './session-message.js';
import { SimWorker } from './worker.sim.js';

const HEARTBEAT = 'docker.swarmkit.v1.HeartbeatRequest';

async function room(options: { automatic?: boolean } = {}) {
  const sim = new SimRoom(options);
  const managers: ManagerPeer[] = [{ nodeId: 'm1', addr: '127.0.0.1:2377', isReachable: true }];
  const dispatcher = new Dispatcher({ ...sim.options, nodeId: 'm1', managers: () => managers });
  if (options.automatic !== false) await sim.put('node', nodeOf('n1'));
  dispatcher.start();
  await sim.settle();
  return { sim, dispatcher, managers };
}

type Room = Awaited<ReturnType<typeof room>>;

/** A node with an open session. */
class SimNode {
  readonly news: SessionMessage[] = [];
  readonly worker = new SimWorker();
  readonly abort = new AbortController();
  readonly id: string;
  ended: unknown;
  readonly #room: Room;
  readonly #plugins: (typeof OWN_AGENT)[];

  constructor(room: Room, id = 'n1', plugins = [OWN_AGENT]) {
    this.#room = room;
    this.id = id;
    this.#plugins = plugins;
  }

  get sessionId(): string {
    return this.news[0]?.sessionId ?? '';
  }

  async register(sessionId = '', hostname = this.id): Promise<this> {
    const { sim, dispatcher } = this.#room;
    const engine = { plugins: this.#plugins };
    const description = { hostname, engine };
    const request = create(SessionRequestSchema, { sessionId, description });
    void this.#follow(dispatcher.session(this.id, request, '10.1.1.1', this.abort.signal));
    await sim.settle();
    return this;
  }

  async #follow(session: AsyncIterable<SessionMessage>): Promise<void> {
    try {
      for await (const message of session) this.news.push(message);
      this.ended = 'closed';
    } catch (error) {
      this.ended = error;
    }
  }

  async listen(): Promise<this> {
    const { dispatcher, sim } = this.#room;
    const following = this.worker.follow(dispatcher, this.id, this.sessionId, this.abort.signal);
    following.catch(() => {});
    await sim.settle();
    return this;
  }

  beat() {
    const request = { $typeName: HEARTBEAT, sessionId: this.sessionId } as const;
    return this.#room.dispatcher.heartbeat(this.id, request);
  }

  async report(
    taskId: string,
    status: Pick<TaskStatus, 'state'> & { message?: string },
  ): Promise<void> {
    await this.#room.dispatcher.updateTaskStatus(
      this.id,
      create(UpdateTaskStatusRequestSchema, {
        sessionId: this.sessionId,
        updates: [{ taskId, status: create(TaskStatusSchema, status) }],
      }),
    );
  }

  get state(): NodeStatus_State {
    return this.#room.sim.get('node', this.id).status.state;
  }
}

function code(error: unknown): Code | undefined {
  return error instanceof RpcError ? error.code : undefined;
}

describe('Dispatcher sessions', () => {
  it('register a node: ready, described, and told all it must know', async () => {
    const here = await room();
    await here.sim.put('cluster', clusterOf({ rootCa: { caCert: new Uint8Array([1, 2]) } }));
    const node = await new SimNode(here).register('', 'worker-1');
    const stored = here.sim.get('node', 'n1');
    expect(stored.status).toMatchObject({ state: NodeStatus_State.READY, addr: '10.1.1.1' });
    expect(stored.description?.hostname).toBe('worker-1');
    expect(node.news[0]?.node?.id).toBe('n1');
    expect(node.news[0]?.RootCA).toEqual(new Uint8Array([1, 2]));
    expect(node.news[0]?.managers[0]).toMatchObject({
      peer: { nodeId: 'm1', addr: '127.0.0.1:2377' },
      weight: 10n,
    });
  });

  it('tell of changes in the node, the keys and the managers, and of nothing else', async () => {
    const here = await room();
    const { sim, managers, dispatcher } = here;
    await sim.put('cluster', clusterOf());
    const node = await new SimNode(here).register();
    await sim.change('node', 'n1', () => ({ attachments: [] }));
    await sim.change('node', 'n1', ({ status }) => ({ status: { ...status, message: 'x' } }));
    expect(node.news).toHaveLength(2);
    await sim.change('cluster', 'cluster', () => ({ networkBootstrapKeys: [] }));
    managers.push({ nodeId: 'm2', addr: '127.0.0.2:2377', isReachable: true });
    dispatcher.refreshManagers();
    await sim.settle();
    expect(node.news).toHaveLength(4);
    expect(node.news[3]?.managers).toHaveLength(2);
  });

  it('never leave a node without a manager to turn to', async () => {
    const here = await room();
    const { managers, dispatcher, sim } = here;
    const node = await new SimNode(here).register();
    managers.length = 0;
    dispatcher.refreshManagers();
    await sim.put('cluster', clusterOf());
    expect(node.news).toHaveLength(2);
    expect(node.news[1]?.managers).toHaveLength(1);
    managers.push(
      { nodeId: 'm2', addr: '127.0.0.2:2377', isReachable: true },
      { nodeId: 'm3', addr: '', isReachable: true },
    );
    dispatcher.refreshManagers();
    await sim.settle();
    expect(node.news[2]?.managers.map(({ peer }) => peer?.nodeId)).toEqual(['m2']);
  });

  it('are not opened before a manager is known', async () => {
    const here = await room();
    here.managers.length = 0;
    const early = await new SimNode(here).register();
    expect(code(early.ended)).toBe(Code.UNAVAILABLE);
  });

  it('take what nodes say of cluster volumes', async () => {
    const here = await room();
    const node = await new SimNode(here).register();
    const say = (sessionId = node.sessionId) =>
      here.dispatcher.updateVolumeStatus(
        'n1',
        create(UpdateVolumeStatusRequestSchema, { sessionId }),
      );
    await expect(say()).resolves.toBeDefined();
    await expect(say('other')).rejects.toThrow('session invalid');
  });

  it('refuse who is not known, not registered, or has another session', async () => {
    const here = await room();
    const stranger = await new SimNode(here, 'n9').register();
    expect(code(stranger.ended)).toBe(Code.UNKNOWN);
    const node = new SimNode(here);
    await expect(node.beat()).rejects.toThrow('node not registered');
    await node.register();
    const other = { $typeName: HEARTBEAT, sessionId: 'other' } as const;
    await expect(here.dispatcher.heartbeat('n1', other)).rejects.toThrow('session invalid');
    await here.sim.remove('node', 'n1');
    await expect(node.report('t1', { state: TaskState.RUNNING })).rejects.toThrow(
      'node not registered',
    );
  });

  it('go on under the same id when a node describes itself anew', async () => {
    const here = await room();
    const node = await new SimNode(here).register();
    const again = await new SimNode(here).register(node.sessionId, 'renamed');
    expect(again.sessionId).toBe(node.sessionId);
    expect(String(node.ended)).toMatch('node must disconnect');
    expect(here.sim.get('node', 'n1').description?.hostname).toBe('renamed');
  });

  it('are limited in how fast they may follow each other', async () => {
    const here = await room();
    for (let times = 0; times < 3; times++) await new SimNode(here).register();
    const fourth = await new SimNode(here).register();
    expect(code(fourth.ended)).toBe(Code.UNAVAILABLE);
    await here.sim.clock.advance(8_000);
    expect((await new SimNode(here).register()).news).toHaveLength(1);
  });

  it('end when the dispatcher stops, with one last message', async () => {
    const here = await room();
    const node = await new SimNode(here).register();
    await here.dispatcher.stop();
    await here.sim.settle();
    expect(node.news).toHaveLength(2);
    expect(code(node.ended)).toBe(Code.ABORTED);
    expect(node.state).toBe(NodeStatus_State.DISCONNECTED);
    await expect(node.beat()).rejects.toThrow('dispatcher is stopped');
    expect(here.sim.clock.pendingTimers).toBe(0);
  });
});

it('a dispatcher stops in time though the log does not move', async () => {
  const here = await room();
  await new SimNode(here).register();
  here.sim.proposer.refuse(new Error('no quorum'));
  await here.dispatcher.stop();
  const stuck = await room();
  await new SimNode(stuck).register();
  stuck.sim.proposer.automatic = false;
  const stopped = stuck.dispatcher.stop();
  await stuck.sim.clock.advance(2_000);
  await stopped;
  expect(stuck.sim.clock.pendingTimers).toBe(0);
});

describe('Dispatcher heartbeats', () => {
  it('tell within 3.4 s of a node of three that died, and sooner with no more than a broken stream', async () => {
    const here = await room();
    await here.sim.put('node', nodeOf('n2'), nodeOf('n3'));
    for (const goodbye of [false, true]) {
      const node = await new SimNode(here).register();
      if (goodbye) node.abort.abort();
      const died = here.sim.clock.monotonic();
      while (node.state !== NodeStatus_State.DOWN) await here.sim.clock.advance(10);
      expect(here.sim.clock.monotonic() - died).toBeLessThanOrEqual(3_400);
    }
  });

  it('late by a standstill of this process cost no node its tasks', async () => {
    const here = await room();
    const { clock } = here.sim;
    const node = await new SimNode(here).register();
    await node.beat();
    const { monotonic } = clock;
    clock.monotonic = () => monotonic.call(clock) + 20_000;
    await clock.advance(10_000);
    expect(node.state).toBe(NodeStatus_State.READY);
    await node.beat();
    await clock.advance(2_600);
    expect(node.state).toBe(NodeStatus_State.READY);
    await clock.advance(800);
    expect(node.state).toBe(NodeStatus_State.DOWN);
  });

  it("at Docker's own period, jitter and all, keep a node ready that honours it", async () => {
    const here = await room();
    const nodes = Array.from({ length: 300 }, (_, at) => nodeOf(`other-${at}`));
    await here.sim.put('node', ...nodes);
    const node = await new SimNode(here).register();
    for (let times = 0; times < 20; times++) {
      const periodMs = durationMs((await node.beat()).period);
      expect(Math.abs(periodMs - 5_000)).toBeLessThanOrEqual(500);
      await here.sim.clock.advance(periodMs);
      expect(node.state).toBe(NodeStatus_State.READY);
    }
  });

  it('are a second apart in a small cluster, and a silent node is down after three', async () => {
    const here = await room();
    const node = await new SimNode(here).register();
    const periodMs = durationMs((await node.beat()).period);
    expect(Math.abs(periodMs - 1_000)).toBeLessThanOrEqual(100);
    await here.sim.clock.advance(2_600);
    expect(node.state).toBe(NodeStatus_State.READY);
    await here.sim.clock.advance(800);
    expect(node.state).toBe(NodeStatus_State.DOWN);
    expect(here.sim.get('node', 'n1').status.message).toBe('heartbeat failure');
    expect(code(node.ended)).toBe(Code.ABORTED);
  });

  it('follow what was set', async () => {
    const here = await room();
    const heartbeatPeriod = durationFromMs(20_000);
    await here.sim.put('cluster', clusterOf({ spec: { dispatcher: { heartbeatPeriod } } }));
    const node = await new SimNode(here).register();
    expect(durationMs((await node.beat()).period)).toBeGreaterThanOrEqual(18_000);
    node.abort.abort();
    await here.sim.clock.advance(50_000);
    expect(node.state).toBe(NodeStatus_State.READY);
  });

  it('keep a node ready that beats', async () => {
    const here = await room();
    const node = await new SimNode(here).register();
    for (let times = 0; times < 20; times++) {
      await here.sim.clock.advance(1_000);
      await node.beat();
    }
    expect(node.state).toBe(NodeStatus_State.READY);
  });

  it('start over after a change of leader: unknown first, down after a longer grace', async () => {
    const here = await room();
    expect(here.sim.get('node', 'n1').status).toMatchObject({
      state: NodeStatus_State.UNKNOWN,
      message: 'Node moved to "unknown" state due to leadership change in cluster',
    });
    await here.sim.clock.advance(9_900);
    expect(here.sim.get('node', 'n1').status.state).toBe(NodeStatus_State.UNKNOWN);
    await here.sim.clock.advance(200);
    expect(here.sim.get('node', 'n1').status.state).toBe(NodeStatus_State.DOWN);
  });

  it.for([
    { isReachable: false, graceMs: 4_000 },
    { isReachable: true, graceMs: 10_000 },
  ])('of managers get $graceMs ms then, when reachable: $isReachable', async (each) => {
    const here = await room();
    await here.dispatcher.stop();
    const manager = { nodeId: 'n1', addr: '127.0.0.3:2377', isReachable: !each.isReachable };
    here.managers.push(manager);
    here.dispatcher.start();
    await here.sim.clock.advance(1_000);
    manager.isReachable = each.isReachable;
    await here.sim.clock.advance(each.graceMs - 1_100);
    expect(here.sim.get('node', 'n1').status.state).toBe(NodeStatus_State.UNKNOWN);
    await here.sim.clock.advance(200);
    expect(here.sim.get('node', 'n1').status.state).toBe(NodeStatus_State.DOWN);
  });

  it("leave a node of Docker's the time that Docker does: it may be silent between two attempts", async () => {
    const here = await room();
    const node = await new SimNode(here, 'n1', []).register();
    const periodMs = durationMs((await node.beat()).period);
    expect(Math.abs(periodMs - 5_000)).toBeLessThanOrEqual(500);
    node.abort.abort();
    await here.sim.clock.advance(13_000);
    expect(node.state).toBe(NodeStatus_State.READY);
    await here.sim.clock.advance(4_000);
    expect(node.state).toBe(NodeStatus_State.DOWN);

    await node.register();
    await here.dispatcher.stop();
    here.dispatcher.start();
    await here.sim.clock.advance(29_000);
    expect(node.state).toBe(NodeStatus_State.UNKNOWN);
    await here.sim.clock.advance(2_000);
    expect(node.state).toBe(NodeStatus_State.DOWN);
  });

  it('give up the tasks of a node after a day', async () => {
    const here = await room();
    const { sim } = here;
    const status = { state: TaskState.RUNNING };
    await sim.put('task', taskOf('t1', { nodeId: 'n1', status }));
    await sim.clock.advance(24 * 3_600_000);
    expect(sim.get('task', 't1').status.state).toBe(TaskState.RUNNING);
    await sim.clock.advance(13_000);
    expect(sim.get('task', 't1').status.state).toBe(TaskState.ORPHANED);
  });
});

describe('Dispatcher assignments', () => {
  it('come without waiting, and not for what the node said itself', async () => {
    const here = await room();
    const { sim } = here;
    const node = await (await new SimNode(here).register()).listen();
    const status = { state: TaskState.ASSIGNED };
    await sim.put('task', taskOf('t1', { nodeId: 'n1', status }), taskOf('t2', { nodeId: 'n1' }));
    expect([...node.worker.tasks.keys()]).toEqual(['t1']);
    const { messages } = node.worker;
    await node.report('t1', { state: TaskState.RUNNING });
    await sim.settle();
    expect(node.worker.messages).toBe(messages);
    await sim.change('task', 't1', () => ({ desiredState: TaskState.SHUTDOWN }));
    expect(node.worker.tasks.get('t1')?.desiredState).toBe(TaskState.SHUTDOWN);
  });

  it('cost nothing any more once the node has gone, even in the middle of a message', async () => {
    const here = await room();
    const node = await new SimNode(here).register();
    const abort = new AbortController();
    const { sessionId } = node;
    const request = { $typeName: 'docker.swarmkit.v1.AssignmentsRequest', sessionId } as const;
    const stream = here.dispatcher.assignments('n1', request, abort.signal)[Symbol.asyncIterator]();
    await stream.next();
    abort.abort();
    await here.sim.put(
      'task',
      taskOf('t1', { nodeId: 'n1', status: { state: TaskState.ASSIGNED } }),
    );
    expect((await stream.next()).done).toBe(true);
  });

  it('are one message for all that happened while the node was busy', async () => {
    const here = await room();
    const node = await new SimNode(here).register();
    const { signal } = new AbortController();
    const { sessionId } = node;
    const request = { $typeName: 'docker.swarmkit.v1.AssignmentsRequest', sessionId } as const;
    const stream = here.dispatcher.assignments('n1', request, signal)[Symbol.asyncIterator]();
    expect((await stream.next()).value?.resultsIn).toBe('1');
    const status = { state: TaskState.ASSIGNED };
    for (const id of ['t1', 't2', 't3']) {
      await here.sim.put('task', taskOf(id, { nodeId: 'n1', status }));
    }
    const { value } = await stream.next();
    expect(value).toMatchObject({ appliesTo: '1', resultsIn: '2' });
    expect(value?.changes).toHaveLength(3);
  });
});

describe('Dispatcher status reports', () => {
  async function withTask() {
    const here = await room();
    const status = { state: TaskState.ASSIGNED };
    await here.sim.put('task', taskOf('t1', { nodeId: 'n1', status }));
    await here.sim.put('task', taskOf('foreign', { nodeId: 'n2', status }));
    return { ...here, node: await new SimNode(here).register() };
  }

  it('are stored with who applied them and when', async () => {
    const { sim, node } = await withTask();
    await node.report('t1', { state: TaskState.RUNNING, message: 'started' });
    await sim.settle();
    expect(sim.get('task', 't1').status).toMatchObject({
      state: TaskState.RUNNING,
      message: 'started',
      appliedBy: 'm1',
    });
    expect(sim.get('task', 't1').status.appliedAt).toBeDefined();
  });

  it('never take a state back, and are not written twice', async () => {
    const { sim, node } = await withTask();
    await node.report('t1', { state: TaskState.RUNNING });
    await sim.settle();
    const entries = sim.proposer.entries.length;
    await node.report('t1', { state: TaskState.PREPARING });
    await node.report('t1', { state: TaskState.RUNNING });
    await node.report('gone', { state: TaskState.RUNNING });
    await sim.settle();
    expect(sim.get('task', 't1').status.state).toBe(TaskState.RUNNING);
    expect(sim.proposer.entries.length).toBe(entries);
  });

  it('on a task of another node are refused as a whole', async () => {
    const { sim, node } = await withTask();
    const refused = node.report('foreign', { state: TaskState.RUNNING });
    await expect(refused).rejects.toMatchObject({ code: Code.PERMISSION_DENIED });
    await sim.settle();
    expect(sim.get('task', 'foreign').status.state).toBe(TaskState.ASSIGNED);
  });

  it('share an entry when they come while another is written', async () => {
    const { sim, node } = await withTask();
    const status = { state: TaskState.ASSIGNED };
    const ids = Array.from({ length: 100 }, (_, at) => `many-${at}`);
    await sim.put('task', ...ids.map((id) => taskOf(id, { nodeId: 'n1', status })));
    const entries = sim.proposer.entries.length;
    await Promise.all(ids.map((id) => node.report(id, { state: TaskState.RUNNING })));
    await sim.settle();
    expect(sim.proposer.entries.length - entries).toBeLessThanOrEqual(2);
    expect(ids.every((id) => sim.get('task', id).status.state === TaskState.RUNNING)).toBe(true);
  });

  it('survive a log that refuses for a while', async () => {
    const { sim, node } = await withTask();
    sim.proposer.refuse(new Error('no space left on device'));
    await node.report('t1', { state: TaskState.STARTING });
    await sim.settle();
    await node.report('t1', { state: TaskState.RUNNING });
    sim.proposer.refuse(undefined);
    for (let times = 0; times < 3; times++) {
      await node.beat();
      await sim.clock.advance(200);
    }
    expect(sim.get('task', 't1').status.state).toBe(TaskState.RUNNING);
  });

  it('wait when too many are queued', async () => {
    const { sim, node } = await withTask();
    const status = { state: TaskState.ASSIGNED };
    const ids = Array.from({ length: STATUS_QUEUE_MAX + 1 }, (_, at) => `q${at}`);
    await sim.store.batch(ids, (tx, id) => tx.create('task', taskOf(id, { nodeId: 'n1', status })));
    sim.proposer.refuse(new Error('no space left on device'));
    let accepted = 0;
    for (const id of ids) {
      void node.report(id, { state: TaskState.RUNNING }).then(() => accepted++);
    }
    await sim.settle();
    expect(accepted).toBe(STATUS_QUEUE_MAX);
    sim.proposer.refuse(undefined);
    await node.beat();
    await sim.clock.advance(200);
    expect(accepted).toBe(STATUS_QUEUE_MAX + 1);
  });
});
