import net from 'node:net';
import { Code, SimClock } from '@skep/platform';
import { afterEach, describe, expect, it } from 'vitest';
import type { DialOptions } from '../contract.js';
import { CONNECT_TIMEOUT_MS, PROBE_TIMEOUT_MS } from '../limits.js';
import { ConnectionEvents, failureOf, heartbeat, heartbeatService } from '../testing/calls.js';
import { GrpcSwarm } from '../testing/grpc-swarm.js';
import { TestIdentity } from '../testing/identities.js';

const MANAGER: DialOptions = { serverName: 'swarm-manager' };
const swarm = new GrpcSwarm();
const wires = new Set<Wire>();

afterEach(async () => {
  await swarm.close();
  for (const wire of wires) await wire.close();
  wires.clear();
});

/** A way to a listener that a test can break. */
class Wire {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server) {
    this.#server = server;
  }

  static async to(address: string): Promise<{ wire: Wire; address: string }> {
    const server = net.createServer();
    const wire = new Wire(server);
    wires.add(wire);
    server.on('connection', (near) => wire.#join(near, address));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    return { wire, address: `127.0.0.1:${port}` };
  }

  /** Both ends find their connections reset. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Nothing gets through any more, and nobody is told. */
  silence(): void {
    for (const socket of this.#sockets) socket.unpipe();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: net.Socket, address: string): void {
    const [host, port] = address.split(':');
    const far = net.connect({ host, port: Number(port) });
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
    }
    near.pipe(far).pipe(near);
  }
}

describe('a channel', () => {
  it('tells of its connection: up with a call, down when the server closes, up again', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const channel = swarm.dialer().dial(listener.address, MANAGER);
    const events = new ConnectionEvents(channel);
    await heartbeat(channel);
    await heartbeat(channel);
    expect(events.seen).toEqual([true]);
    await listener.close();
    await events.count(2);
    expect((await failureOf(heartbeat(channel))).code).toBe(Code.UNAVAILABLE);
    await swarm.serve([heartbeatService()], { address: listener.address });
    while (events.seen.length < 3) await heartbeat(channel).catch(() => undefined);
    expect(events.seen).toEqual([true, false, true]);
  });

  it('tells of a reset, with no call under way', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const { wire, address } = await Wire.to(listener.address);
    const channel = swarm.dialer().dial(address, MANAGER);
    const events = new ConnectionEvents(channel);
    await heartbeat(channel);
    wire.reset();
    await events.count(2);
    await heartbeat(channel);
    expect(events.seen).toEqual([true, false, true]);
  });

  it('tells of a host that is dead: a call and a PING get no answer', async () => {
    const clock = new SimClock();
    const listener = await swarm.serve([heartbeatService()]);
    const { wire, address } = await Wire.to(listener.address);
    const channel = swarm.dialer(new TestIdentity(swarm.worker), clock).dial(address, MANAGER);
    const events = new ConnectionEvents(channel);
    await heartbeat(channel);
    wire.silence();
    await clock.advance(10 * CONNECT_TIMEOUT_MS);
    const call = failureOf(heartbeat(channel, { timeoutMs: 1_000 }));
    await clock.advance(1_000);
    expect((await call).code).toBe(Code.DEADLINE_EXCEEDED);
    await clock.advance(PROBE_TIMEOUT_MS - 1);
    expect(events.seen).toEqual([true]);
    await clock.advance(1);
    expect(events.seen).toEqual([true, false]);
  });

  it('tells nothing of what ends from its own side, nor after it was told to stop', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const identity = new TestIdentity(swarm.worker);
    const channel = swarm.dialer(identity).dial(listener.address, MANAGER);
    const events = new ConnectionEvents(channel);
    const stopped: boolean[] = [];
    const stop = channel.onConnection((isUp) => stopped.push(isUp));
    await heartbeat(channel);
    stop();
    identity.set(swarm.authority.issue('worker-1', 'worker'));
    await heartbeat(channel);
    channel.close();
    await listener.close();
    expect(events.seen).toEqual([true]);
    expect(stopped).toEqual([true]);
  });
});
