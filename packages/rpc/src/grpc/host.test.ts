import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { splitAddress } from '../address.js';
import { deferred, failureOf, heartbeat, heartbeatService } from '../testing/calls.js';
import { GrpcSwarm } from '../testing/grpc-swarm.js';

const swarm = new GrpcSwarm();
afterEach(() => swarm.close());

describe('closing a listener', () => {
  it('ends calls that its handlers would not', async () => {
    const arrived = deferred();
    const endless = heartbeatService(() => {
      arrived.resolve();
      return new Promise(() => undefined);
    });
    const listener = await swarm.serve([endless]);
    const channel = swarm.dialer().dial(listener.address, { serverName: 'swarm-manager' });
    const call = failureOf(heartbeat(channel));
    await arrived.promise;
    await listener.close();
    expect((await call).code).toBeDefined();
  });

  it('ends connections whose handshake has not begun, or is under way', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const silent = net.connect(splitAddress(listener.address));
    await once(silent, 'connect');
    const greeting = tls.connect({ ...splitAddress(listener.address), rejectUnauthorized: false });
    greeting.on('error', () => {});
    const ends = [silent, greeting].map(
      (socket) => new Promise((end) => socket.once('close', end)),
    );
    silent.on('error', () => {}).resume();
    greeting.resume();
    await listener.close();
    await Promise.all(ends);
  });
});
