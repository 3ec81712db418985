import { Code, RealClock, RealRandom, RpcError, silentLogger } from '@skep/platform';
import * as sk from '@skep/wire/swarmkit';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type BoundService,
  type CallContext,
  type Channel,
  type DialOptions,
  implement,
  type Listener,
} from '../contract.js';
import { CLUSTER_ID, TestAuthority, TestIdentity } from '../testing/identities.js';
import { GrpcDialer } from './dialer.js';
import { GrpcHost } from './host.js';

const authority = new TestAuthority();
const managerIdentity = authority.issue('manager-1', 'manager');
const workerIdentity = authority.issue('worker-1', 'worker');
const MANAGER: DialOptions = { serverName: 'swarm-manager' };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function dialer(identity: TestIdentity = new TestIdentity(workerIdentity)): GrpcDialer {
  const made = new GrpcDialer({ identity, clock: new RealClock(), random: new RealRandom() });
  cleanups.push(() => made.close());
  return made;
}

async function serve(
  services: BoundService[],
  options: { address?: string; identity?: TestIdentity; refused?: string } = {},
): Promise<Listener> {
  const host = new GrpcHost({
    identity: options.identity ?? new TestIdentity(managerIdentity),
    clock: new RealClock(),
    logger: silentLogger,
    onFatal: (error) => {
      throw error;
    },
  });
  const listener = await host.serve({
    address: options.address ?? '127.0.0.1:0',
    services,
    clusterId: CLUSTER_ID,
    isRefused: (nodeId) => nodeId === options.refused,
  });
  cleanups.push(() => listener.close());
  return listener;
}

const heartbeat = (answer: (context: CallContext) => Promise<void> = async () => {}) =>
  implement(sk.Dispatcher, {
    heartbeat: async ({ sessionId }, context) => {
      await answer(context);
      return { $typeName: 'docker.swarmkit.v1.HeartbeatResponse', period: undefined, sessionId };
    },
  });

const beat = (channel: Channel, options = {}) =>
  channel.unary(sk.Dispatcher.method.heartbeat, { sessionId: 's' }, options);

const failure = async (promise: Promise<unknown>): Promise<RpcError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(RpcError);
  return error as RpcError;
};

describe('calls over gRPC', () => {
  it('answers a unary call, and tells who calls from where', async () => {
    let seen: CallContext | undefined;
    const listener = await serve([
      heartbeat(async (context) => {
        seen = context;
      }),
    ]);
    const response = await beat(dialer().dial(listener.address, MANAGER));
    expect(response.$typeName).toBe('docker.swarmkit.v1.HeartbeatResponse');
    expect(seen?.caller).toEqual({
      identity: { nodeId: 'worker-1', role: 'worker', clusterId: CLUSTER_ID },
      address: '127.0.0.1',
      forwardedBy: undefined,
    });
    expect(seen?.isRedirected).toBe(false);
  });

  it('carries code and exact text of an error', async () => {
    const text = 'käse 100% of "x"\nnot found ✓';
    const listener = await serve([
      heartbeat(async () => {
        throw new RpcError(Code.NOT_FOUND, text);
      }),
    ]);
    const error = await failure(beat(dialer().dial(listener.address, MANAGER)));
    expect(error.code).toBe(Code.NOT_FOUND);
    expect(error.message).toBe(text);
  });
});
