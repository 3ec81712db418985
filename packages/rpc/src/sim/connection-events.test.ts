import { describe, expect, it } from 'vitest';
import { PROBE_TIMEOUT_MS } from '../limits.js';
import { ConnectionEvents, failureOf, heartbeat, heartbeatService } from '../testing/calls.js';
import { TestIdentity } from '../testing/identities.js';
import { MANAGER_IP, SimSwarm, WORKER_IP } from '../testing/sim-swarm.js';

/** A worker with a connection to its manager, and what its channel told of it. */
async function connected() {
  const swarm = new SimSwarm();
  const listener = await swarm.serve([heartbeatService()]);
  const identity = new TestIdentity(swarm.worker);
  const channel = swarm.dial(undefined, identity);
  const { seen } = new ConnectionEvents(channel);
  heartbeat(channel);
  await swarm.clock.advance(100);
  expect(seen).toEqual([true]);
  return { swarm, listener, identity, channel, seen };
}

describe('a simulated channel', () => {
  it('tells of its connection: down when the server closes, up again with a call', async () => {
    const { swarm, listener, channel, seen } = await connected();
    await listener.close();
    await swarm.clock.advance(10);
    expect(seen).toEqual([true, false]);
    await swarm.serve([heartbeatService()]);
    heartbeat(channel);
    await swarm.clock.advance(10);
    expect(seen).toEqual([true, false, true]);
  });

  it('tells at once of a reset, and of no attempt that fails then', async () => {
    const { swarm, channel, seen } = await connected();
    swarm.network.kill(MANAGER_IP);
    await swarm.clock.advance(10);
    expect(seen).toEqual([true, false]);
    const refused = failureOf(heartbeat(channel));
    await swarm.clock.advance(10);
    await refused;
    expect(seen).toEqual([true, false]);
  });

  it('tells of a host that is dead: a call and a PING get no answer', async () => {
    const { swarm, channel, seen } = await connected();
    swarm.network.powerOff(MANAGER_IP);
    await swarm.clock.advance(60_000);
    const call = failureOf(heartbeat(channel, { timeoutMs: 1_000 }));
    await swarm.clock.advance(1_000);
    await call;
    await swarm.clock.advance(PROBE_TIMEOUT_MS - 1);
    expect(seen).toEqual([true]);
    await swarm.clock.advance(1);
    expect(seen).toEqual([true, false]);
  });

  it('tells nothing of a cut before a call is lost in it', async () => {
    const { swarm, seen } = await connected();
    swarm.network.cut(WORKER_IP, MANAGER_IP);
    await swarm.clock.advance(60_000);
    expect(seen).toEqual([true]);
  });

  it('tells nothing of what ends from its own side', async () => {
    const { swarm, identity, channel, seen } = await connected();
    identity.set(swarm.worker);
    heartbeat(channel);
    await swarm.clock.advance(10);
    channel.close();
    await swarm.clock.advance(10);
    expect(seen).toEqual([true]);
  });
});
