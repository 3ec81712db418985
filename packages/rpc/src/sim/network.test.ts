import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import { Peers } from '@skep/wire/skep';
import * as sk from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { type CallContext, implement } from '../contract.js';
import { NotSentError } from '../errors.js';
import {
  deferred,
  failureOf,
  heartbeat,
  heartbeatService,
  peersService,
} from '../testing/calls.js';
import { CLUSTER_ID, TestAuthority, TestIdentity } from '../testing/identities.js';
import { MANAGER_IP, SimSwarm, WORKER_IP } from '../testing/sim-swarm.js';

/** What became of a promise, looked at without waiting for it. */
function watch(promise: Promise<unknown>): { state: 'pending' | 'done' | RpcError } {
  const watched: { state: 'pending' | 'done' | RpcError } = { state: 'pending' };
  promise.then(
    () => {
      watched.state = 'done';
    },
    (error: RpcError) => {
      watched.state = error;
    },
  );
  return watched;
}

const codeOf = (watched: { state: unknown }) =>
  watched.state instanceof RpcError ? watched.state.code : watched.state;

describe('a simulated network', () => {
  it('carries calls, and tells who calls from where', async () => {
    const swarm = new SimSwarm();
    let seen: CallContext | undefined;
    await swarm.serve([
      heartbeatService((context) => {
        seen = context;
      }),
    ]);
    const call = heartbeat(swarm.dial());
    await swarm.clock.advance(100);
    expect((await call).period?.seconds).toBe(5n);
    expect(seen?.caller).toEqual({
      identity: { nodeId: 'worker-1', role: 'worker', clusterId: CLUSTER_ID },
      address: WORKER_IP,
      forwardedBy: undefined,
    });
    expect(swarm.clock.pendingTimers).toBe(0);
  });

  it('shares no object between the two sides', async () => {
    const swarm = new SimSwarm();
    const answer = create(sk.HeartbeatResponseSchema, { period: { seconds: 5n } });
    await swarm.serve([implement(sk.Dispatcher, { heartbeat: async () => answer })]);
    const call = heartbeat(swarm.dial());
    await swarm.clock.advance(100);
    expect(await call).not.toBe(answer);
    expect(await call).toEqual(answer);
  });

  it('checks callers as the real twin does', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([
      implement(sk.Raft, { resolveAddress: () => Promise.reject(new Error('was called')) }),
    ]);
    const call = failureOf(swarm.dial().unary(sk.Raft.method.resolveAddress, {}));
    await swarm.clock.advance(100);
    expect((await call).message).toBe(
      'Permission denied: remote certificate not part of OUs: [swarm-manager]',
    );
  });

  it('trusts no certificate of another root, on either side', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([heartbeatService()]);
    const other = new TestAuthority(CLUSTER_ID, swarm.clock);
    const stranger = other.issue('worker-1', 'worker');
    const distrusting = failureOf(
      heartbeat(swarm.dial({ serverName: 'swarm-manager' }, new TestIdentity(stranger))),
    );
    await swarm.clock.advance(100);
    expect((await distrusting).code).toBe(Code.UNAVAILABLE);
    expect((await distrusting).message).toContain('certificate signed by unknown authority');
    const rootPem = swarm.manager.rootPem;
    const refused = failureOf(
      heartbeat(swarm.dial({ serverName: 'swarm-manager', rootPem }, new TestIdentity(stranger))),
    );
    await swarm.clock.advance(100);
    expect((await refused).code).toBe(Code.PERMISSION_DENIED);
  });

  it('carries streams in order, no faster than they are read', async () => {
    const swarm = new SimSwarm();
    let produced = 0;
    await swarm.serve([
      implement(sk.Dispatcher, {
        session: async function* () {
          for (; produced < 1_000; produced++) {
            yield create(sk.SessionMessageSchema, { sessionId: String(produced) });
          }
        },
      }),
    ]);
    const stream = swarm.dial().serverStream(sk.Dispatcher.method.session, {});
    const reader = stream[Symbol.asyncIterator]();
    const first = reader.next();
    await swarm.clock.advance(1_000);
    expect((await first).value.sessionId).toBe('0');
    expect(produced).toBeLessThan(50);
    const ids: string[] = ['0'];
    const reading = (async () => {
      for (let next = await reader.next(); !next.done; next = await reader.next()) {
        ids.push(next.value.sessionId);
      }
    })();
    await swarm.clock.advance(10_000);
    await reading;
    expect(ids).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
  });

  it('carries requests and responses side by side', async () => {
    const swarm = new SimSwarm();
    const seen: bigint[] = [];
    await swarm.serve([peersService(seen)]);
    const manager = swarm.dial(undefined, new TestIdentity(swarm.manager));
    const opening = manager.exchange(Peers.method.exchange);
    await swarm.clock.advance(100);
    const exchange = await opening;
    const responses = exchange.responses[Symbol.asyncIterator]();
    exchange.send({ message: { index: 1n } });
    exchange.send({ message: { index: 2n } });
    const answers = [responses.next(), responses.next(), responses.next()];
    await swarm.clock.advance(100);
    expect((await answers[1])?.done).toBe(false);
    expect(seen).toEqual([1n, 2n]);
    exchange.close();
    expect((await failureOf(answers[2]!)).code).toBe(Code.CANCELED);
  });

  it('tells a handler that its caller left', async () => {
    const swarm = new SimSwarm();
    const ended = deferred();
    await swarm.serve([
      implement(sk.Dispatcher, {
        session: async function* (_request, { signal }) {
          signal.addEventListener('abort', () => ended.resolve());
          yield create(sk.SessionMessageSchema, {});
          await ended.promise;
        },
      }),
    ]);
    const reading = (async () => {
      for await (const _ of swarm.dial().serverStream(sk.Dispatcher.method.session, {})) break;
    })();
    await swarm.clock.advance(100);
    await reading;
    await ended.promise;
  });
});

describe('faults', () => {
  it('hang calls over a cut until their time is up, and drop the connection as dead', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([heartbeatService()]);
    const channel = swarm.dial();
    const before = watch(heartbeat(channel));
    await swarm.clock.advance(100);
    expect(before.state).toBe('done');
    swarm.network.cut(WORKER_IP, MANAGER_IP);
    const patient = watch(heartbeat(channel));
    const call = watch(heartbeat(channel, { timeoutMs: 2_000 }));
    await swarm.clock.advance(1_999);
    expect(call.state).toBe('pending');
    await swarm.clock.advance(1);
    expect(codeOf(call)).toBe(Code.DEADLINE_EXCEEDED);
    expect(patient.state).toBe('pending');
    await swarm.clock.advance(5_000);
    expect(codeOf(patient)).toBe(Code.UNAVAILABLE);
    const late = watch(heartbeat(channel));
    await swarm.clock.advance(5_000);
    expect(late.state).toBeInstanceOf(NotSentError);
  });

  it('end a call that waits for a connection when sending is given up, and no other', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([heartbeatService(() => swarm.clock.sleep(50))]);
    const channel = swarm.dial();
    const giveUp = new AbortController();
    swarm.network.cut(WORKER_IP, MANAGER_IP);
    const unsent = watch(heartbeat(channel, { unsentSignal: giveUp.signal }));
    const patient = watch(heartbeat(channel));
    await swarm.clock.advance(100);
    giveUp.abort();
    await swarm.clock.advance(1);
    expect(unsent.state).toBeInstanceOf(NotSentError);
    swarm.network.heal();
    await swarm.clock.advance(1_000);
    expect(patient.state).toBe('done');
    const sent = new AbortController();
    const call = watch(heartbeat(channel, { unsentSignal: sent.signal }));
    await swarm.clock.advance(10);
    sent.abort();
    await swarm.clock.advance(100);
    expect(call.state).toBe('done');
  });

  it('cut one way only: requests arrive, answers do not', async () => {
    const swarm = new SimSwarm();
    let answered = 0;
    await swarm.serve([heartbeatService(() => answered++)]);
    const channel = swarm.dial();
    const before = watch(heartbeat(channel));
    await swarm.clock.advance(100);
    expect(before.state).toBe('done');
    swarm.network.cut(MANAGER_IP, WORKER_IP);
    const call = watch(heartbeat(channel, { timeoutMs: 1_000 }));
    await swarm.clock.advance(1_000);
    expect(answered).toBe(2);
    expect(codeOf(call)).toBe(Code.DEADLINE_EXCEEDED);
  });

  it('heal into late answers or broken connections, as the seed has it', async () => {
    const outcomes = new Set<unknown>();
    for (let seed = 1; seed <= 20; seed++) {
      const swarm = new SimSwarm(seed);
      await swarm.serve([heartbeatService()]);
      const channel = swarm.dial();
      heartbeat(channel);
      await swarm.clock.advance(100);
      swarm.network.cut(WORKER_IP, MANAGER_IP);
      const call = watch(heartbeat(channel));
      await swarm.clock.advance(30_000);
      expect(call.state).toBe('pending');
      swarm.network.heal();
      await swarm.clock.advance(11_000);
      outcomes.add(codeOf(call));
      const after = watch(heartbeat(channel));
      await swarm.clock.advance(100);
      expect(after.state).toBe('done');
    }
    expect(outcomes).toEqual(new Set(['done', Code.UNAVAILABLE]));
  });

  it('kill a process: calls fail at once, until another one serves', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([heartbeatService(() => new Promise(() => undefined))]);
    const channel = swarm.dial();
    const call = watch(heartbeat(channel));
    await swarm.clock.advance(100);
    expect(call.state).toBe('pending');
    swarm.network.kill(MANAGER_IP);
    await swarm.clock.advance(10);
    expect(codeOf(call)).toBe(Code.UNAVAILABLE);
    expect(call.state).not.toBeInstanceOf(NotSentError);
    const refused = watch(heartbeat(channel));
    await swarm.clock.advance(10);
    expect(refused.state).toBeInstanceOf(NotSentError);
    expect((refused.state as RpcError).message).toContain('connect: connection refused');
    await swarm.serve([heartbeatService()]);
    await swarm.clock.advance(2_500);
    const again = watch(heartbeat(channel));
    await swarm.clock.advance(10);
    expect(again.state).toBe('done');
  });

  it('end no call of a process that died: nobody is there to see it', async () => {
    const swarm = new SimSwarm();
    const ended = deferred();
    await swarm.serve([
      heartbeatService(({ signal }) => {
        signal.addEventListener('abort', () => ended.resolve());
        return ended.promise;
      }),
    ]);
    const channel = swarm.dial();
    const call = watch(heartbeat(channel));
    await swarm.clock.advance(100);
    swarm.network.kill(WORKER_IP);
    const zombie = watch(heartbeat(channel));
    await swarm.clock.advance(100);
    await ended.promise;
    expect(call.state).toBe('pending');
    expect(zombie.state).toBe('pending');
  });

  it('take the power: silence, and a reset once the machine is there again', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([heartbeatService(() => new Promise(() => undefined))]);
    const channel = swarm.dial();
    const call = watch(heartbeat(channel));
    await swarm.clock.advance(100);
    swarm.network.powerOff(MANAGER_IP);
    const next = watch(heartbeat(channel));
    await swarm.clock.advance(60_000);
    expect([call.state, next.state]).toEqual(['pending', 'pending']);
    swarm.network.powerOn(MANAGER_IP);
    await swarm.clock.advance(11_000);
    expect([codeOf(call), codeOf(next)]).toEqual([Code.UNAVAILABLE, Code.UNAVAILABLE]);
  });

  it('pause a process: its answers come when it goes on, and nothing breaks', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([heartbeatService()]);
    const channel = swarm.dial();
    heartbeat(channel);
    await swarm.clock.advance(100);
    swarm.network.pause(MANAGER_IP);
    const call = watch(heartbeat(channel));
    await swarm.clock.advance(60_000);
    expect(call.state).toBe('pending');
    swarm.network.resume(MANAGER_IP);
    await swarm.clock.advance(10);
    expect(call.state).toBe('done');
  });

  it('lose segments: calls are late, never lost', async () => {
    const swarm = new SimSwarm();
    await swarm.serve([heartbeatService()]);
    swarm.network.setLoss(0.3);
    const calls = Array.from({ length: 50 }, () => watch(heartbeat(swarm.dial())));
    await swarm.clock.advance(100);
    expect(calls.some(({ state }) => state === 'pending')).toBe(true);
    await swarm.clock.advance(60_000);
    expect(calls.every(({ state }) => state === 'done')).toBe(true);
  });

  it('split a ring: each reaches its neighbours only', async () => {
    const swarm = new SimSwarm();
    const ring = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'];
    swarm.network.ring(ring);
    await swarm.serve([heartbeatService()]);
    const { clock, random } = swarm;
    const call = (ip: string) => {
      const identity = new TestIdentity(swarm.worker);
      const dialer = swarm.network.host(ip).dialer({ identity, clock, random });
      return watch(heartbeat(dialer.dial('10.0.0.1:2377', { serverName: 'swarm-manager' })));
    };
    const calls = ring.slice(1).map(call);
    await clock.advance(6_000);
    expect(calls.map(codeOf)).toEqual(['done', Code.UNAVAILABLE, 'done']);
  });
});

describe('a seed', () => {
  /** When each of many calls ended, and how, amid faults. */
  async function run(seed: number): Promise<string[]> {
    const swarm = new SimSwarm(seed);
    const { clock, network } = swarm;
    await swarm.serve([heartbeatService()]);
    network.setLoss(0.1);
    network.setDelay({ minMs: 1, maxMs: 50 });
    const trace: string[] = [];
    for (let index = 0; index < 40; index++) {
      heartbeat(swarm.dial(), { timeoutMs: 3_000 }).then(
        () => trace.push(`${index} done ${clock.monotonic()}`),
        (error: RpcError) => trace.push(`${index} ${error.code} ${clock.monotonic()}`),
      );
      await clock.advance(20);
      if (index === 10) network.cut(WORKER_IP, MANAGER_IP);
      if (index === 20) network.heal();
      if (index === 30) network.kill(MANAGER_IP);
    }
    await clock.advance(20_000);
    return trace;
  }

  it('is the same run each time, and another seed another run', async () => {
    const first = await run(7);
    expect(first).toHaveLength(40);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });
});
