import { create } from '@bufbuild/protobuf';
import { Code, RealClock, RpcError } from '@skep/platform';
import { Networks, NetworksUpdateSchema, Peers } from '@skep/wire/skep';
import * as sk from '@skep/wire/swarmkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type CallContext, type DialOptions, implement } from '../contract.js';
import { LeaderProxy } from '../forward/leader-proxy.js';
import { SERVER_MESSAGE_BYTES_MAX } from '../limits.js';
import {
  deferred,
  failureOf,
  heartbeat,
  heartbeatService,
  peersService,
} from '../testing/calls.js';
import { GrpcSwarm } from '../testing/grpc-swarm.js';
import { CLUSTER_ID, TestIdentity } from '../testing/identities.js';

const MANAGER: DialOptions = { serverName: 'swarm-manager' };
const swarm = new GrpcSwarm();
afterEach(() => swarm.close());

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });

describe('a unary call', () => {
  it('is answered, and its handler told who calls from where', async () => {
    let seen: CallContext | undefined;
    const listener = await swarm.serve([
      heartbeatService((context) => {
        seen = context;
      }),
    ]);
    const response = await heartbeat(swarm.dialer().dial(listener.address, MANAGER));
    expect(response.period?.seconds).toBe(5n);
    expect(seen?.caller).toEqual({
      identity: { nodeId: 'worker-1', role: 'worker', clusterId: CLUSTER_ID },
      address: '127.0.0.1',
      forwardedBy: undefined,
    });
    expect(seen?.isRedirected).toBe(false);
  });

  it('carries code and exact text of an error', async () => {
    const text = 'käse 100% of "x"\nnot found ✓';
    const listener = await swarm.serve([
      heartbeatService(() => Promise.reject(new RpcError(Code.NOT_FOUND, text))),
    ]);
    const error = await failureOf(heartbeat(swarm.dialer().dial(listener.address, MANAGER)));
    expect(error.code).toBe(Code.NOT_FOUND);
    expect(error.message).toBe(text);
  });

  it('is UNKNOWN when the handler throws anything else', async () => {
    const listener = await swarm.serve([
      heartbeatService(() => Promise.reject(new Error('plain'))),
    ]);
    const error = await failureOf(heartbeat(swarm.dialer().dial(listener.address, MANAGER)));
    expect(error.toGoString()).toBe('rpc error: code = Unknown desc = plain');
  });

  it('is UNIMPLEMENTED, in Go’s words, where nothing is served', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const manager = swarm.dialer().dial(listener.address, MANAGER);
    const method = await failureOf(manager.unary(sk.Dispatcher.method.updateTaskStatus, {}));
    expect(method.toGoString()).toBe(
      'rpc error: code = Unimplemented desc = ' +
        'unknown method UpdateTaskStatus for service docker.swarmkit.v1.Dispatcher',
    );
    const service = await failureOf(manager.unary(sk.ResourceAllocator.method.attachNetwork, {}));
    expect(service.message).toBe('unknown service docker.swarmkit.v1.ResourceAllocator');
  });

  it('ends with DEADLINE_EXCEEDED on both sides when its time is up', async () => {
    const ended = deferred();
    const listener = await swarm.serve([
      heartbeatService(async ({ signal }) => {
        await aborted(signal);
        ended.resolve();
      }),
    ]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const error = await failureOf(heartbeat(channel, { timeoutMs: 20 }));
    expect(error.code).toBe(Code.DEADLINE_EXCEEDED);
    expect(error.message).toBe('context deadline exceeded');
    await ended.promise;
  });

  it('ends with CANCELED when aborted, and tells the handler', async () => {
    const started = deferred();
    const ended = deferred();
    const listener = await swarm.serve([
      heartbeatService(async ({ signal }) => {
        started.resolve();
        await aborted(signal);
        ended.resolve();
      }),
    ]);
    const controller = new AbortController();
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const call = failureOf(heartbeat(channel, { signal: controller.signal }));
    await started.promise;
    controller.abort();
    expect((await call).code).toBe(Code.CANCELED);
    await ended.promise;
    const late = await failureOf(heartbeat(channel, { signal: controller.signal }));
    expect(late.code).toBe(Code.CANCELED);
  });

  it('refuses requests past the limit, and says both sizes', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const sessionId = 'x'.repeat(SERVER_MESSAGE_BYTES_MAX);
    const call = channel.unary(sk.Dispatcher.method.heartbeat, { sessionId });
    const error = await failureOf(call);
    expect(error.code).toBe(Code.RESOURCE_EXHAUSTED);
    expect(error.message).toMatch(/^grpc: received message larger than max \(\d+ vs\. 4194304\)$/);
    expect((await heartbeat(channel)).period?.seconds).toBe(5n);
  });

  it('takes responses of any size', async () => {
    const sessionBytes = 3 * SERVER_MESSAGE_BYTES_MAX;
    const key = new Uint8Array(sessionBytes).fill(7);
    const service = implement(sk.CA, {
      getRootCACertificate: async () =>
        create(sk.GetRootCACertificateResponseSchema, { certificate: key }),
    });
    const listener = await swarm.serve([service]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const response = await channel.unary(sk.CA.method.getRootCACertificate, {});
    expect(Buffer.compare(response.certificate, key)).toBe(0);
  });

  it('all end with CANCELED when the channel is closed', async () => {
    const started = deferred();
    const listener = await swarm.serve([
      heartbeatService(({ signal }) => {
        started.resolve();
        return aborted(signal);
      }),
    ]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const call = failureOf(heartbeat(channel));
    await started.promise;
    channel.close();
    expect((await call).code).toBe(Code.CANCELED);
    expect((await failureOf(heartbeat(channel))).code).toBe(Code.CANCELED);
  });
});

const message = (sessionId: string) => create(sk.SessionMessageSchema, { sessionId });

describe('a server stream', () => {
  it('gives messages in order, then ends', async () => {
    const service = implement(sk.Dispatcher, {
      session: async function* () {
        for (let index = 0; index < 1_000; index++) yield message(String(index));
      },
    });
    const listener = await swarm.serve([service]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const ids: string[] = [];
    for await (const { sessionId } of channel.serverStream(sk.Dispatcher.method.session, {})) {
      ids.push(sessionId);
    }
    expect(ids).toEqual(Array.from({ length: 1_000 }, (_, index) => String(index)));
  });

  it('throws the error it ends with after the messages before it', async () => {
    const service = implement(sk.Dispatcher, {
      session: async function* () {
        yield message('first');
        throw new RpcError(Code.ABORTED, 'node must disconnect');
      },
    });
    const listener = await swarm.serve([service]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const ids: string[] = [];
    const reading = (async () => {
      const stream = channel.serverStream(sk.Dispatcher.method.session, {});
      for await (const { sessionId } of stream) ids.push(sessionId);
    })();
    const error = await failureOf(reading);
    expect(ids).toEqual(['first']);
    expect(error.toGoString()).toBe('rpc error: code = Aborted desc = node must disconnect');
  });

  it('ends at the server when its reader leaves', async () => {
    const ended = deferred();
    const service = implement(sk.Dispatcher, {
      session: async function* (_request, { signal }) {
        try {
          yield message('first');
          await aborted(signal);
        } finally {
          ended.resolve();
        }
      },
    });
    const listener = await swarm.serve([service]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    for await (const _ of channel.serverStream(sk.Dispatcher.method.session, {})) break;
    await ended.promise;
  });

  it('is not produced faster than it is read', async () => {
    let produced = 0;
    const service = implement(sk.Dispatcher, {
      session: async function* () {
        for (; produced < 4_000; produced++) yield message('x'.repeat(64 * 1024));
      },
    });
    const listener = await swarm.serve([service]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    let read = 0;
    for await (const _ of channel.serverStream(sk.Dispatcher.method.session, {})) {
      if (++read === 1) await countStandsStill(() => produced);
      if (read === 200) break;
    }
    expect(produced).toBeLessThan(1_000);
  });

  it('limits the time until the first message only', async () => {
    const go = deferred();
    const service = implement(sk.Dispatcher, {
      session: async function* ({ sessionId }, { signal }) {
        if (sessionId === 'silent') await aborted(signal);
        yield message('first');
        await go.promise;
        yield message('second');
      },
    });
    const listener = await swarm.serve([service]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const { session } = sk.Dispatcher.method;
    const patient = channel.serverStream(session, {}, { timeoutMs: 500 })[Symbol.asyncIterator]();
    expect((await patient.next()).value.sessionId).toBe('first');
    const silent = channel.serverStream(session, { sessionId: 'silent' }, { timeoutMs: 600 });
    const error = await failureOf(silent[Symbol.asyncIterator]().next() as Promise<unknown>);
    expect(error.code).toBe(Code.DEADLINE_EXCEEDED);
    go.resolve();
    expect((await patient.next()).value.sessionId).toBe('second');
    expect((await patient.next()).done).toBe(true);
  });

  it('ends with CANCELED when its signal aborts', async () => {
    const service = implement(sk.Dispatcher, {
      session: async function* (_request, { signal }) {
        yield message('first');
        await aborted(signal);
      },
    });
    const listener = await swarm.serve([service]);
    const controller = new AbortController();
    const stream = swarm
      .dialer()
      .dial(listener.address, MANAGER)
      .serverStream(sk.Dispatcher.method.session, {}, { signal: controller.signal })
      [Symbol.asyncIterator]();
    await stream.next();
    const next = failureOf(stream.next());
    controller.abort();
    expect((await next).code).toBe(Code.CANCELED);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Resolves when a count has stood still for a few turns of the event loop. */
async function countStandsStill(count: () => number): Promise<void> {
  for (let still = 0, last = -1; still < 50; ) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    still = count() === last ? still + 1 : 0;
    last = count();
  }
}

describe('a client stream', () => {
  const raft = (seen: bigint[], end = Number.POSITIVE_INFINITY) =>
    implement(sk.Raft, {
      streamRaftMessage: async (requests) => {
        for await (const request of requests) {
          seen.push(request.message?.index ?? -1n);
          if (seen.length >= end) throw new RpcError(Code.INVALID_ARGUMENT, 'enough');
        }
        return create(sk.StreamRaftMessageResponseSchema, {});
      },
    });
  const manager = () => swarm.dialer(new TestIdentity(swarm.manager));

  it('carries messages in order, and its one answer', async () => {
    const seen: bigint[] = [];
    const listener = await swarm.serve([raft(seen)]);
    const channel = manager().dial(listener.address, MANAGER);
    await channel.clientStream(
      sk.Raft.method.streamRaftMessage,
      (async function* () {
        for (let index = 1n; index <= 500n; index++) yield { message: { index } };
      })(),
    );
    expect(seen).toEqual(Array.from({ length: 500 }, (_, index) => BigInt(index + 1)));
  });

  it('stops taking messages when the server ends it early', async () => {
    const seen: bigint[] = [];
    const listener = await swarm.serve([raft(seen, 2)]);
    const ended = deferred();
    const channel = manager().dial(listener.address, MANAGER);
    const call = channel.clientStream(
      sk.Raft.method.streamRaftMessage,
      (async function* () {
        try {
          for (let index = 1n; ; index++) yield { message: { index } };
        } finally {
          ended.resolve();
        }
      })(),
    );
    const error = await failureOf(call);
    expect(error.toGoString()).toBe('rpc error: code = InvalidArgument desc = enough');
    await ended.promise;
  });

  it('is canceled at the server when its source fails', async () => {
    const seen: bigint[] = [];
    const ended = deferred<unknown>();
    const service = implement(sk.Raft, {
      streamRaftMessage: async (requests) => {
        try {
          for await (const request of requests) seen.push(request.message?.index ?? -1n);
        } catch (error) {
          ended.resolve(error);
        }
        return create(sk.StreamRaftMessageResponseSchema, {});
      },
    });
    const listener = await swarm.serve([service]);
    const channel = manager().dial(listener.address, MANAGER);
    const call = channel.clientStream(
      sk.Raft.method.streamRaftMessage,
      (async function* () {
        yield { message: { index: 1n } };
        await until(() => seen.length === 1);
        throw new RpcError(Code.DATA_LOSS, 'cannot read the snapshot');
      })(),
    );
    expect((await failureOf(call)).message).toBe('cannot read the snapshot');
    expect((await ended.promise) as RpcError).toMatchObject({ code: Code.CANCELED });
  });
});

describe('an exchange', () => {
  const open = async (seen: bigint[]) => {
    const listener = await swarm.serve([peersService(seen)]);
    const channel = swarm.dialer(new TestIdentity(swarm.manager)).dial(listener.address, MANAGER);
    const exchange = await channel.exchange(Peers.method.exchange);
    return { exchange, responses: exchange.responses[Symbol.asyncIterator]() };
  };

  it('answers while more is sent, until a side ends it', async () => {
    const seen: bigint[] = [];
    const { exchange, responses } = await open(seen);
    for (let index = 1n; index <= 100n; index++) {
      exchange.send({ message: { index } });
      expect((await responses.next()).done).toBe(false);
      expect(seen.at(-1)).toBe(index);
    }
    const next = responses.next();
    exchange.close();
    expect((await failureOf(next)).code).toBe(Code.CANCELED);
  });

  it('ends with the error of its handler', async () => {
    const { exchange, responses } = await open([]);
    exchange.send({ message: { index: 1n } });
    exchange.send({ message: { index: 0n } });
    await responses.next();
    expect((await failureOf(responses.next())).message).toBe('enough');
    exchange.send({ message: { index: 2n } });
  });

  it('is UNIMPLEMENTED where nobody knows it', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const channel = swarm.dialer(new TestIdentity(swarm.manager)).dial(listener.address, MANAGER);
    const { responses } = await channel.exchange(Peers.method.exchange);
    const error = await failureOf(responses[Symbol.asyncIterator]().next());
    expect(error.code).toBe(Code.UNIMPLEMENTED);
  });

  it('goes on through a manager that does not lead, and ends with its caller', async () => {
    const ended = deferred();
    const service = implement(Networks, {
      async *watch(requests, { caller, signal }) {
        signal.addEventListener('abort', () => ended.resolve());
        for await (const { applied } of requests) {
          const networks = [{ id: caller.identity?.nodeId ?? '' }];
          yield create(NetworksUpdateSchema, { number: applied + 1n, networks });
        }
      },
    });
    const leader = await swarm.serve([service]);
    const identity = swarm.authority.issue('manager-2', 'manager');
    const toLeader = swarm.dialer(new TestIdentity(identity)).dial(leader.address, MANAGER);
    const proxy = new LeaderProxy({
      clock: new RealClock(),
      leader: { leader: () => toLeader, onChange: () => () => undefined },
      ownAddress: '127.0.0.1:1',
    });
    const follower = await swarm.serve([proxy.wrap(service)], {
      identity: new TestIdentity(identity),
    });
    const channel = swarm.dialer().dial(follower.address, MANAGER);
    const exchange = await channel.exchange(Networks.method.watch);
    const responses = exchange.responses[Symbol.asyncIterator]();
    for (let applied = 1n; applied <= 50n; applied++) {
      exchange.send({ applied });
      const { value } = await responses.next();
      expect(value).toMatchObject({ number: applied + 1n, networks: [{ id: 'worker-1' }] });
    }
    exchange.close();
    await ended.promise;
  });
});
