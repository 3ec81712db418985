import { create } from '@bufbuild/protobuf';
import { Code, RpcError, SimClock, SimRandom } from '@skep/platform';
import {
  type BoundService,
  type Channel,
  type Leader,
  LeaderProxy,
  type Listener,
  SimNetwork,
} from '@skep/rpc';
import { Reports } from '@skep/wire/skep';
import {
  type UpdateTaskStatusRequest,
  UpdateTaskStatusRequestSchema,
  UpdateTaskStatusResponseSchema,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { FakeSwarm } from '../identity/testing/fake-swarm.js';
import { LONG_CALL_LIFE_MS } from '../limits.js';
import type { LeaderRooms } from '../manager/leader-rooms.js';
import { forwardedServices } from '../manager/services/leader-services.js';
import { noting } from '../manager/testing/noting.js';
import { CALL_TIMEOUT_MS } from './limits.js';
import { ReportLane } from './report-lane.js';

const LEADER = '10.0.0.1:2377';
const FOLLOWER = '10.0.0.2:2377';
const OTHER = '10.0.0.3:2377';
const WORKER_IP = '10.0.0.9';
/** Enough for any number of messages over the simulated network. */
const WAY_MS = 100;

const ipOf = (address: string) => address.split(':')[0]!;

describe("a node's reports", () => {
  let clock: SimClock;
  let random: SimRandom;
  let network: SimNetwork;
  let swarm: FakeSwarm;
  /** Tasks that were reported of, and who did. */
  let taken: string[];
  let reporters: Set<string>;
  let refusal: RpcError | undefined;
  let holding: Promise<void> | undefined;
  let refusedNode: string | undefined;
  let calls: string[];
  let worker: ReturnType<FakeSwarm['member']>;
  let channel: Channel;
  let lane: ReportLane;

  const dispatcher = {
    async updateTaskStatus(nodeId: string, { updates }: UpdateTaskStatusRequest) {
      await holding;
      if (refusal) throw refusal;
      reporters.add(nodeId);
      taken.push(...updates.map(({ taskId }) => taskId));
      return create(UpdateTaskStatusResponseSchema);
    },
  };
  const leading = forwardedServices(() => ({ dispatcher }) as unknown as LeaderRooms);

  const identityOf = ({ credentials, rootPem }: ReturnType<FakeSwarm['member']>) => ({
    current: () => ({ ...credentials, rootPem }),
    onChange: () => () => {},
  });

  const serve = (address: string, services: BoundService[] = leading): Promise<Listener> => {
    const onFatal = (error: Error) => {
      throw error;
    };
    const identity = identityOf(swarm.member('manager'));
    const host = network.host(ipOf(address)).server({ identity, clock, onFatal });
    return host.serve({
      address,
      clusterId: swarm.clusterId,
      services: services.map((service) => noting(service, calls)),
      isRefused: (nodeId) => nodeId === refusedNode,
    });
  };

  const dial = (ip: string, node: ReturnType<FakeSwarm['member']>, address: string) =>
    network
      .host(ip)
      .dialer({ identity: identityOf(node), clock, random })
      .dial(address, { serverName: 'swarm-manager' });

  /** A report on its way; its outcome so far: its error, if any. */
  const send = (taskId: string) => {
    const sent: { outcome: unknown } = { outcome: 'under way' };
    const updates = [{ taskId, status: {} }];
    lane.send(create(UpdateTaskStatusRequestSchema, { sessionId: 's1', updates })).then(
      () => {
        sent.outcome = 'taken';
      },
      (error: unknown) => {
        sent.outcome = error;
      },
    );
    return sent;
  };

  /** What becomes of a report within a time. */
  const report = async (taskId: string, waitMs = WAY_MS) => {
    const sent = send(taskId);
    await clock.advance(waitMs);
    return sent.outcome;
  };

  /** Has the dispatcher take nothing until what this returns is called. */
  const hold = () => {
    let release = () => {};
    holding = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  };

  beforeEach(() => {
    clock = new SimClock();
    random = new SimRandom(5);
    network = new SimNetwork({ clock, random });
    swarm = new FakeSwarm(clock, random);
    taken = [];
    reporters = new Set();
    refusal = undefined;
    holding = undefined;
    refusedNode = undefined;
    calls = [];
    worker = swarm.member('worker');
    channel = dial(WORKER_IP, worker, LEADER);
    lane = new ReportLane(channel, clock);
  });

  it('go over one call, and are answered when the dispatcher has taken them', async () => {
    await serve(LEADER);
    for (const taskId of ['t1', 't2']) expect(await report(taskId)).toBe('taken');
    const release = hold();
    const third = send('t3');
    await clock.advance(WAY_MS);
    expect(third.outcome).toBe('under way');
    release();
    await clock.advance(WAY_MS);
    expect(third.outcome).toBe('taken');
    expect(taken).toEqual(['t1', 't2', 't3']);
    expect([...reporters]).toEqual([worker.nodeId]);
    expect(calls).toEqual(['report']);
  });

  it('go by calls to a manager that knows nothing else, which is asked once', async () => {
    await serve(
      LEADER,
      leading.filter(({ service }) => service !== Reports),
    );
    for (const taskId of ['t1', 't2']) expect(await report(taskId)).toBe('taken');
    expect(taken).toEqual(['t1', 't2']);
    expect(calls).toEqual(['updateTaskStatus', 'updateTaskStatus']);
  });

  it('are refused with code and text of the dispatcher, and the next go over another call', async () => {
    await serve(LEADER);
    expect(await report('t1')).toBe('taken');
    refusal = new RpcError(Code.INVALID_ARGUMENT, 'session invalid');
    expect(await report('t2')).toMatchObject({
      code: Code.INVALID_ARGUMENT,
      message: 'session invalid',
    });
    refusal = undefined;
    expect(await report('t3')).toBe('taken');
    expect(taken).toEqual(['t1', 't3']);
    expect(calls).toEqual(['report', 'report']);
  });

  it('are given up when they are not answered in time', async () => {
    await serve(LEADER);
    await report('t1');
    hold();
    const late = send('t2');
    await clock.advance(CALL_TIMEOUT_MS - 1);
    expect(late.outcome).toBe('under way');
    await clock.advance(1);
    expect(late.outcome).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
    expect(await report('t3', CALL_TIMEOUT_MS)).toMatchObject({ code: Code.DEADLINE_EXCEEDED });
    holding = undefined;
    expect(await report('t4')).toBe('taken');
    expect(taken).toEqual(['t1', 't4']);
  });

  it('fail when the manager dies under way, and go over another call once it is back', async () => {
    await serve(LEADER);
    await report('t1');
    hold();
    const lost = send('t2');
    await clock.advance(WAY_MS);
    network.kill(ipOf(LEADER));
    await clock.advance(WAY_MS);
    expect(lost.outcome).toMatchObject({ code: Code.UNAVAILABLE });
    holding = undefined;
    await serve(LEADER);
    await clock.advance(1_000);
    expect(await report('t3')).toBe('taken');
    expect(taken).toEqual(['t1', 't3']);
  });

  it('need a new call after a while, for which their node is checked anew', async () => {
    await serve(LEADER);
    await report('t1');
    await clock.advance(LONG_CALL_LIFE_MS);
    expect(clock.pendingTimers).toBe(0);
    expect(await report('t2')).toBe('taken');
    expect(calls).toEqual(['report', 'report']);
    refusedNode = worker.nodeId;
    await clock.advance(LONG_CALL_LIFE_MS);
    expect(await report('t3')).toMatchObject({ code: Code.PERMISSION_DENIED });
    expect(taken).toEqual(['t1', 't2']);
  });

  it('are answered before the call that carries them ends of age', async () => {
    await serve(LEADER);
    await report('t1');
    await clock.advance(LONG_CALL_LIFE_MS - 2 * WAY_MS);
    const release = hold();
    const slow = send('t2');
    await clock.advance(4 * WAY_MS);
    expect(slow.outcome).toBe('under way');
    release();
    await clock.advance(WAY_MS);
    expect(slow.outcome).toBe('taken');
    expect(clock.pendingTimers).toBe(0);
    expect(await report('t3')).toBe('taken');
    expect(calls).toEqual(['report', 'report']);
  });

  it('leave nothing behind when the channel is closed', async () => {
    await serve(LEADER);
    await report('t1');
    channel.close();
    await clock.advance(WAY_MS);
    expect(clock.pendingTimers).toBe(0);
  });

  describe('through a manager that does not lead', () => {
    let leader: Leader;
    let toOther: Channel;
    let tell: () => void;

    beforeEach(async () => {
      await serve(LEADER);
      await serve(OTHER);
      const manager = swarm.member('manager');
      const toLeader = dial(ipOf(FOLLOWER), manager, LEADER);
      toOther = dial(ipOf(FOLLOWER), manager, OTHER);
      leader = toLeader;
      const source = {
        leader: () => leader,
        onChange: (listener: () => void) => {
          tell = listener;
          return () => {};
        },
      };
      const proxy = new LeaderProxy({ clock, leader: source, ownAddress: FOLLOWER });
      const forwarding = leading.map((service) => proxy.wrap(service));
      await serve(FOLLOWER, forwarding);
      lane = new ReportLane(dial(WORKER_IP, worker, FOLLOWER), clock);
    });

    it('reach the leader, who knows whose they are', async () => {
      for (const taskId of ['t1', 't2']) expect(await report(taskId)).toBe('taken');
      refusal = new RpcError(Code.NOT_FOUND, 'node not registered');
      expect(await report('t3')).toMatchObject({ code: Code.NOT_FOUND, message: refusal.message });
      expect(taken).toEqual(['t1', 't2']);
      expect([...reporters]).toEqual([worker.nodeId]);
      expect(calls).toEqual(['report', 'report']);
    });

    it('go to whom leads then, once another does', async () => {
      await report('t1');
      leader = toOther;
      tell();
      await clock.advance(WAY_MS);
      network.kill(ipOf(LEADER));
      expect(await report('t2')).toBe('taken');
      expect(taken).toEqual(['t1', 't2']);
      expect(calls).toEqual(['report', 'report', 'report', 'report']);
    });
  });
});
