import { create } from '@bufbuild/protobuf';
import { Code, RpcError, SimClock, SimRandom } from '@skep/platform';
import * as skep from '@skep/wire/skep';
import * as sk from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type BoundService,
  type CallContext,
  type Caller,
  type Channel,
  type DialOptions,
  implement,
} from '../contract.js';
import { SimNetwork } from '../sim/network.js';
import { deferred, failureOf, heartbeat, heartbeatService } from '../testing/calls.js';
import { CLUSTER_ID, TestAuthority, TestIdentity } from '../testing/identities.js';
import { LeaderProxy } from './leader-proxy.js';
import { type Leader, type LeaderSource, NO_LEADER_TEXT } from './leader-source.js';

const authority = new TestAuthority(CLUSTER_ID, new SimClock());
const identities = new Map<string, TestIdentity>();
function identityOf(nodeId: string, role: 'worker' | 'manager'): TestIdentity {
  const known = identities.get(nodeId) ?? new TestIdentity(authority.issue(nodeId, role));
  identities.set(nodeId, known);
  return known;
}

const MANAGER: DialOptions = { serverName: 'swarm-manager' };
const LEADER_IP = '10.0.0.1';
const FOLLOWER_IP = '10.0.0.2';
const OTHER_IP = '10.0.0.3';
const WORKER_IP = '10.0.0.9';

class TestLeaderSource implements LeaderSource {
  #leader: Leader | undefined;
  readonly #listeners = new Set<() => void>();

  get listeners(): number {
    return this.#listeners.size;
  }

  leader(): Leader | undefined {
    return this.#leader;
  }

  set(leader: Leader | undefined): void {
    this.#leader = leader;
    for (const listener of [...this.#listeners]) listener();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** A follower with the channels it has to other managers, and a worker that calls the follower. */
class Room {
  readonly clock = new SimClock();
  readonly random = new SimRandom(1);
  readonly network = new SimNetwork({ clock: this.clock, random: this.random });
  readonly source = new TestLeaderSource();
  readonly #followerDialer = this.#dialer(FOLLOWER_IP, identityOf('manager-2', 'manager'));
  readonly toLeader = this.#followerDialer.dial(`${LEADER_IP}:2377`, MANAGER);
  readonly toOther = this.#followerDialer.dial(`${OTHER_IP}:2377`, MANAGER);

  serve(ip: string, services: readonly BoundService[]): Promise<unknown> {
    const onFatal = (error: Error) => {
      throw error;
    };
    const identity = identityOf(`manager-${ip.at(-1)}`, 'manager');
    const host = this.network.host(ip).server({ identity, clock: this.clock, onFatal });
    const isRefused = () => false;
    return host.serve({ address: `${ip}:2377`, services, clusterId: CLUSTER_ID, isRefused });
  }

  /** Serves the follower, which has `own` answer what it does not forward. */
  serveFollower(own: BoundService, ip = FOLLOWER_IP, source = this.source): Promise<unknown> {
    const { clock } = this;
    const proxy = new LeaderProxy({ clock, leader: source, ownAddress: `${ip}:2377` });
    return this.serve(ip, [proxy.wrap(own)]);
  }

  caller(ip = WORKER_IP, identity = identityOf('worker-1', 'worker')): Channel {
    return this.#dialer(ip, identity).dial(`${FOLLOWER_IP}:2377`, MANAGER);
  }

  #dialer(ip: string, identity: TestIdentity) {
    const { clock, random } = this;
    return this.network.host(ip).dialer({ identity, clock, random });
  }
}

const unreachableHere = heartbeatService(() => Promise.reject(new Error('answered here')));

let room: Room;
beforeEach(() => {
  room = new Room();
});

describe('a call to a manager', () => {
  it('is answered there while it leads', async () => {
    let caller: Caller | undefined;
    await room.serveFollower(heartbeatService((context) => (caller = context.caller)));
    room.source.set('self');
    const call = heartbeat(room.caller());
    await room.clock.advance(100);
    expect((await call).period?.seconds).toBe(5n);
    expect(caller).toMatchObject({ address: WORKER_IP, forwardedBy: undefined });
  });

  it('is answered by the leader, who is told whose call it is', async () => {
    let context: CallContext | undefined;
    await room.serve(LEADER_IP, [heartbeatService((seen) => (context = seen))]);
    await room.serveFollower(unreachableHere);
    room.source.set(room.toLeader);
    const call = heartbeat(room.caller());
    await room.clock.advance(100);
    expect((await call).period?.seconds).toBe(5n);
    expect(context?.caller).toEqual({
      identity: { nodeId: 'worker-1', role: 'worker', clusterId: CLUSTER_ID },
      address: WORKER_IP,
      forwardedBy: 'manager-2',
    });
    expect(context?.isRedirected).toBe(true);
  });

  it('is anonymous at the leader when it came without a certificate', async () => {
    let context: CallContext | undefined;
    const nodeCa = implement(sk.NodeCA, {
      issueNodeCertificate: async (_request, seen) => {
        context = seen;
        return create(sk.IssueNodeCertificateResponseSchema, { nodeId: 'new' });
      },
    });
    await room.serve(LEADER_IP, [nodeCa]);
    await room.serveFollower(nodeCa);
    room.source.set(room.toLeader);
    const { rootPem } = authority.issue('any', 'worker');
    const dialer = room.network.host(WORKER_IP).dialer({ ...room, identity: new TestIdentity() });
    const options: DialOptions = { serverName: 'swarm-ca', withCertificate: false, rootPem };
    const channel = dialer.dial(`${FOLLOWER_IP}:2377`, options);
    const call = channel.unary(sk.NodeCA.method.issueNodeCertificate, {});
    await room.clock.advance(100);
    expect((await call).nodeId).toBe('new');
    const caller = { identity: undefined, address: WORKER_IP, forwardedBy: 'manager-2' };
    expect(context?.caller).toEqual(caller);
  });

  it('carries the leader’s error', async () => {
    const error = new RpcError(Code.NOT_FOUND, 'node not registered');
    await room.serve(LEADER_IP, [heartbeatService(() => Promise.reject(error))]);
    await room.serveFollower(unreachableHere);
    room.source.set(room.toLeader);
    const call = failureOf(heartbeat(room.caller()));
    await room.clock.advance(100);
    expect((await call).toGoString()).toBe('rpc error: code = NotFound desc = node not registered');
  });

  it('is forwarded once, not twice', async () => {
    const confused = new TestLeaderSource();
    await room.serveFollower(unreachableHere);
    await room.serveFollower(unreachableHere, LEADER_IP, confused);
    room.source.set(room.toLeader);
    confused.set(room.toOther);
    const call = failureOf(heartbeat(room.caller()));
    await room.clock.advance(100);
    expect((await call).code).toBe(Code.RESOURCE_EXHAUSTED);
    expect((await call).message).toBe('more than one redirect to leader from: [manager-2]');
  });
});

describe('without a leader', () => {
  it('a call waits for one', async () => {
    await room.serve(LEADER_IP, [heartbeatService()]);
    await room.serveFollower(unreachableHere);
    const call = heartbeat(room.caller());
    await room.clock.advance(4_000);
    room.source.set(room.toLeader);
    await room.clock.advance(100);
    expect((await call).period?.seconds).toBe(5n);
    expect(room.source.listeners).toBe(0);
  });

  it('a call fails after a while, later ones at once, and none once there was one', async () => {
    await room.serveFollower(unreachableHere);
    const channel = room.caller();
    const first = failureOf(heartbeat(channel));
    await room.clock.advance(5_100);
    expect((await first).toGoString()).toBe(`rpc error: code = Unknown desc = ${NO_LEADER_TEXT}`);
    const second = failureOf(heartbeat(channel));
    await room.clock.advance(10);
    expect((await second).message).toBe(NO_LEADER_TEXT);
    room.source.set('self');
    room.source.set(undefined);
    let isOver = false;
    failureOf(heartbeat(channel)).then(() => {
      isOver = true;
    });
    await room.clock.advance(4_900);
    expect(isOver).toBe(false);
    await room.clock.advance(200);
    expect(isOver).toBe(true);
  });

  it('a call that is given up waits no longer', async () => {
    await room.serveFollower(unreachableHere);
    const call = failureOf(heartbeat(room.caller(), { timeoutMs: 1_000 }));
    await room.clock.advance(1_100);
    expect((await call).code).toBe(Code.DEADLINE_EXCEEDED);
    // One is kept to notice the next leader.
    expect(room.source.listeners).toBe(1);
  });
});

describe('when the leader cannot be reached', () => {
  it('a call of which nothing was sent is made again, to whom leads then', async () => {
    await room.serve(OTHER_IP, [heartbeatService()]);
    await room.serveFollower(unreachableHere);
    room.source.set(room.toLeader);
    room.network.kill(LEADER_IP);
    const call = heartbeat(room.caller());
    await room.clock.advance(1_000);
    room.source.set(room.toOther);
    await room.clock.advance(100);
    expect((await call).period?.seconds).toBe(5n);
  });

  it('a call that waits for a dead one to answer goes to whom leads then', async () => {
    await room.serve(OTHER_IP, [heartbeatService()]);
    await room.serveFollower(unreachableHere);
    room.source.set(room.toLeader);
    room.network.powerOff(LEADER_IP);
    const call = heartbeat(room.caller());
    await room.clock.advance(1_000);
    room.source.set(room.toOther);
    await room.clock.advance(100);
    expect((await call).period?.seconds).toBe(5n);
    expect(room.source.listeners).toBe(0);
  });

  it('a call is made again to the same leader once it answers', async () => {
    await room.serveFollower(unreachableHere);
    room.source.set(room.toLeader);
    room.network.kill(LEADER_IP);
    const call = heartbeat(room.caller());
    await room.clock.advance(3_000);
    await room.serve(LEADER_IP, [heartbeatService()]);
    await room.clock.advance(1_000);
    expect((await call).period?.seconds).toBe(5n);
  });

  it('a call that was sent is not made again', async () => {
    let calls = 0;
    await room.serve(LEADER_IP, [
      heartbeatService(() => {
        calls++;
        return new Promise(() => undefined);
      }),
    ]);
    await room.serve(OTHER_IP, [heartbeatService(() => calls++)]);
    await room.serveFollower(unreachableHere);
    room.source.set(room.toLeader);
    const call = failureOf(heartbeat(room.caller()));
    await room.clock.advance(100);
    room.network.kill(LEADER_IP);
    room.source.set(room.toOther);
    await room.clock.advance(100);
    expect((await call).code).toBe(Code.UNAVAILABLE);
    expect(calls).toBe(1);
  });
});

describe('a stream through a manager', () => {
  const session = (ended: { resolve(): void }, count = 3) =>
    implement(sk.Dispatcher, {
      session: async function* (_request, { signal }) {
        signal.addEventListener('abort', () => ended.resolve());
        for (let index = 0; index < count; index++) {
          yield create(sk.SessionMessageSchema, { sessionId: String(index) });
        }
        await new Promise(() => undefined);
      },
    });

  async function open(count = 3) {
    const ended = deferred();
    await room.serve(LEADER_IP, [session(ended, count)]);
    await room.serveFollower(session(deferred()));
    room.source.set(room.toLeader);
    const stream = room.caller().serverStream(sk.Dispatcher.method.session, {});
    return { ended, reader: stream[Symbol.asyncIterator]() };
  }

  it('carries messages, and ends at the leader when its caller leaves', async () => {
    const { ended, reader } = await open();
    const reading = (async () => [await reader.next(), await reader.next()])();
    await room.clock.advance(100);
    expect((await reading).map(({ value }) => value.sessionId)).toEqual(['0', '1']);
    await reader.return?.();
    await room.clock.advance(100);
    await ended.promise;
    expect(room.source.listeners).toBe(0);
  });

  it('is not produced faster than it is read', async () => {
    let produced = 0;
    const endless = implement(sk.Dispatcher, {
      session: async function* () {
        for (; ; produced++) yield create(sk.SessionMessageSchema, {});
      },
    });
    await room.serve(LEADER_IP, [endless]);
    await room.serveFollower(endless);
    room.source.set(room.toLeader);
    const stream = room.caller().serverStream(sk.Dispatcher.method.session, {});
    const first = stream[Symbol.asyncIterator]().next();
    await room.clock.advance(1_000);
    await first;
    expect(produced).toBeLessThan(100);
  });

  it('ends with ABORTED when another manager leads', async () => {
    const { ended, reader } = await open();
    const reading = (async () => {
      for (;;) await reader.next();
    })();
    const failure = failureOf(reading);
    await room.clock.advance(100);
    room.source.set(undefined);
    await room.clock.advance(100);
    room.source.set(room.toOther);
    await room.clock.advance(100);
    expect((await failure).toGoString()).toBe(
      'rpc error: code = Aborted desc = the leader of the swarm changed',
    );
    await ended.promise;
  });

  it('of requests reaches the leader, with its answer', async () => {
    const seen: string[] = [];
    const broker = implement(sk.LogBroker, {
      publishLogs: async (messages) => {
        for await (const { subscriptionId } of messages) seen.push(subscriptionId);
        return create(sk.PublishLogsResponseSchema);
      },
    });
    await room.serve(LEADER_IP, [broker]);
    await room.serveFollower(broker);
    room.source.set(room.toLeader);
    const call = room.caller().clientStream(
      sk.LogBroker.method.publishLogs,
      (async function* () {
        for (let index = 0; index < 100; index++) yield { subscriptionId: String(index) };
      })(),
    );
    await room.clock.advance(1_000);
    await call;
    expect(seen).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
  });
});

describe('requests and answers side by side', () => {
  /** Answers each number with the next one; the signal's end is told. */
  function echo(onEnd: () => void): BoundService {
    return implement(skep.Networks, {
      async *watch(requests, { caller, signal }) {
        signal.addEventListener('abort', onEnd);
        for await (const { applied } of requests) {
          const networks = [{ id: caller.identity?.nodeId ?? '' }];
          yield create(skep.NetworksUpdateSchema, { number: applied + 1n, networks });
        }
      },
    });
  }

  async function open() {
    const ended = deferred();
    await room.serve(LEADER_IP, [echo(ended.resolve)]);
    await room.serveFollower(echo(() => undefined));
    room.source.set(room.toLeader);
    const opening = room.caller().exchange(skep.Networks.method.watch);
    await room.clock.advance(100);
    const exchange = await opening;
    return { ended, exchange, answers: exchange.responses[Symbol.asyncIterator]() };
  }

  it('go through to the leader, who is told whose they are', async () => {
    const { answers, ended, exchange } = await open();
    for (const applied of [1n, 5n]) {
      void exchange.send({ applied });
      const answer = answers.next();
      await room.clock.advance(100);
      const { value } = await answer;
      expect(value).toMatchObject({ number: applied + 1n, networks: [{ id: 'worker-1' }] });
    }
    exchange.close();
    await room.clock.advance(100);
    await ended.promise;
    expect(room.source.listeners).toBe(0);
  });

  it('end with ABORTED when another manager leads', async () => {
    const { answers, ended } = await open();
    const failure = failureOf(answers.next());
    await room.clock.advance(100);
    room.source.set(room.toOther);
    await room.clock.advance(100);
    expect((await failure).code).toBe(Code.ABORTED);
    await ended.promise;
  });

  it('are answered here by a manager that leads', async () => {
    const { promise, resolve } = deferred();
    await room.serveFollower(echo(resolve));
    room.source.set('self');
    const opening = room.caller().exchange(skep.Networks.method.watch);
    await room.clock.advance(100);
    const exchange = await opening;
    void exchange.send({ applied: 3n });
    const answer = exchange.responses[Symbol.asyncIterator]().next();
    await room.clock.advance(100);
    expect((await answer).value).toMatchObject({ number: 4n });
    exchange.close();
    await room.clock.advance(100);
    await promise;
  });
});
