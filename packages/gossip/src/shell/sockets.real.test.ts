import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Address } from '../address.js';
import type { SocketListener } from './sockets.js';
import { RealGossipSockets } from './sockets.real.js';

const TIMEOUT_MS = 10_000;

/** A port that nobody has just now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** What `streamLength` takes for a whole message. */
function frameOf(body: Uint8Array): Buffer {
  const head = Buffer.from([10, 0, 0, 0, 0]);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

class Listener implements SocketListener {
  readonly streams: Buffer[] = [];
  answer: Uint8Array | undefined;
  onHeard: () => void = () => {};
  packets: string[] = [];

  onPacket(packet: Uint8Array, { ip }: Address): void {
    this.packets.push(`${ip} ${Buffer.from(packet).toString()}`);
    this.onHeard();
  }

  async onStream(frame: Uint8Array): Promise<Uint8Array | undefined> {
    this.streams.push(Buffer.from(frame));
    this.onHeard();
    return this.answer;
  }
}

let sockets: RealGossipSockets;
let listener: Listener;
let address: Address;

beforeEach(async () => {
  address = { ip: '127.0.0.1', port: await freePort() };
  sockets = new RealGossipSockets({ ...address, logger: silentLogger });
  listener = new Listener();
  await sockets.open(listener);
});
afterEach(() => sockets.close());

const heard = () =>
  new Promise<void>((resolve) => {
    listener.onHeard = resolve;
  });

describe('real sockets', () => {
  it('carry packets', async () => {
    const arrived = heard();
    sockets.send(Buffer.from('hello'), address);
    await arrived;
    expect(listener.packets).toEqual(['127.0.0.1 hello']);
  });

  it('carry a message there and one back, of megabytes', async () => {
    const frame = frameOf(Buffer.alloc(3 * 2 ** 20, 7));
    listener.answer = frameOf(Buffer.alloc(2 ** 20, 8));
    const options = { wantsAnswer: true, timeoutMs: TIMEOUT_MS };
    const answer = await sockets.exchange(frame, address, options);
    expect(listener.streams[0]?.equals(frame)).toBe(true);
    expect(Buffer.from(answer ?? []).equals(Buffer.from(listener.answer))).toBe(true);
  });

  it('carry a message that has no answer', async () => {
    const arrived = heard();
    const options = { wantsAnswer: false, timeoutMs: TIMEOUT_MS };
    await sockets.exchange(frameOf(Buffer.from('bye')), address, options);
    await arrived;
    expect(listener.streams).toHaveLength(1);
  });

  it('give up: no answer, nobody there, not in time', async () => {
    const frame = frameOf(Buffer.from('?'));
    const wanting = { wantsAnswer: true, timeoutMs: TIMEOUT_MS };
    await expect(sockets.exchange(frame, address, wanting)).rejects.toThrow('ended early');
    const nobody = { ip: '127.0.0.1', port: await freePort() };
    await expect(sockets.exchange(frame, nobody, wanting)).rejects.toThrow('ECONNREFUSED');
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const late = sockets.exchange(frame, { ip: '127.0.0.1', port }, { ...wanting, timeoutMs: 50 });
    await expect(late).rejects.toThrow('timed out');
    silent.close();
  });

  it('close the door on what is no message, and on one that is too long', async () => {
    for (const hex of ['00000000', '0affffffff', '0601020304']) {
      const socket = createConnection(address.port, address.ip);
      socket.on('error', () => {});
      socket.write(Buffer.from(hex, 'hex'));
      if (hex === '00000000') socket.end();
      await once(socket, 'close');
    }
    expect(listener.streams).toEqual([]);
  });

  it('cannot be had twice', async () => {
    const second = new RealGossipSockets({ ...address, logger: silentLogger });
    await expect(second.open(listener)).rejects.toThrow('EADDRINUSE');
  });
});
