import { createSocket, type Socket as PacketSocket } from 'node:dgram';
import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { errorMessage, type Logger } from '@skep/platform';
import type { Address } from '../address.js';
import { STREAM_HEAD_BYTES, streamLength } from '../codec/stream.js';
import { GOSSIP_PORT, STREAM_TIMEOUT_MS, STREAMS_MAX, WAITING_BYTES_MAX } from '../limits.js';
import type { ExchangeOptions, GossipSockets, SocketListener } from './sockets.js';

export interface RealGossipSocketsOptions {
  /** To listen at; `0.0.0.0` and `::` for all that the machine has. */
  ip: string;
  /** 7946 unless given. */
  port?: number;
  logger: Logger;
}

/** UDP and TCP sockets of the machine. */
export class RealGossipSockets implements GossipSockets {
  readonly #ip: string;
  readonly #port: number;
  readonly #logger: Logger;
  readonly #connections = new Set<Socket>();
  #packets: PacketSocket | undefined;
  #server: Server | undefined;
  /** Of messages of others that are not whole yet. */
  #waitingBytes = 0;

  constructor({ ip, port = GOSSIP_PORT, logger }: RealGossipSocketsOptions) {
    this.#ip = ip;
    this.#port = port;
    this.#logger = logger;
  }

  async open(listener: SocketListener): Promise<void> {
    const packets = createSocket({ type: this.#ip.includes(':') ? 'udp6' : 'udp4' });
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      void this.#serve(socket, listener);
    });
    server.maxConnections = STREAMS_MAX;
    [this.#packets, this.#server] = [packets, server];
    try {
      packets.bind(this.#port, this.#ip);
      await once(packets, 'listening');
      server.listen(this.#port, this.#ip);
      await once(server, 'listening');
    } catch (error) {
      await this.close();
      throw error;
    }
    packets.on('message', (packet, { address: ip, port }) =>
      listener.onPacket(packet, { ip, port }),
    );
    for (const socket of [packets, server]) {
      socket.on('error', (error) => this.#warn('a gossip socket failed', error));
    }
  }

  send(packet: Uint8Array, { ip, port }: Address): void {
    this.#packets?.send(packet, port, ip, (error) => {
      if (error)
        this.#logger.debug({ to: ip, error: error.message }, 'a gossip packet was not sent');
    });
  }

  async exchange(
    frame: Uint8Array,
    { ip, port }: Address,
    { wantsAnswer, timeoutMs }: ExchangeOptions,
  ): Promise<Uint8Array | undefined> {
    const socket = createConnection({ host: ip, port });
    const done = this.#guard(socket, timeoutMs);
    try {
      const failed = failure(socket);
      const sent = new Promise<void>((resolve) => {
        if (wantsAnswer) socket.write(frame, () => resolve());
        else socket.end(frame, () => resolve());
      });
      if (wantsAnswer) return await Promise.race([this.#readFrame(socket), failed]);
      await Promise.race([sent, failed]);
      return undefined;
    } finally {
      done();
    }
  }

  async close(): Promise<void> {
    for (const socket of this.#connections) socket.destroy();
    const [packets, server] = [this.#packets, this.#server];
    [this.#packets, this.#server] = [undefined, undefined];
    await Promise.all([
      packets && new Promise<void>((resolve) => packets.close(() => resolve())),
      server && new Promise<void>((resolve) => server.close(() => resolve())),
    ]);
  }

  async #serve(socket: Socket, listener: SocketListener): Promise<void> {
    const done = this.#guard(socket, STREAM_TIMEOUT_MS);
    const from = { ip: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    try {
      const failed = failure(socket);
      const frame = await Promise.race([this.#readFrame(socket), failed]);
      const answer = await listener.onStream(frame, from);
      const ended = new Promise<void>((resolve) => {
        if (answer) socket.end(answer, () => resolve());
        else socket.end(() => resolve());
      });
      await Promise.race([ended, failed]);
    } catch (error) {
      this.#logger.debug(
        { from: from.ip, error: errorMessage(error) },
        'a gossip stream was refused',
      );
    } finally {
      done();
    }
  }

  /** A whole message. Rejects for one that is too long, not sealed, or more than there is room for. */
  async #readFrame(socket: Socket): Promise<Buffer> {
    const parts: Buffer[] = [];
    let [bytes, wanted] = [0, STREAM_HEAD_BYTES];
    try {
      for await (const part of socket.iterator({ destroyOnReturn: false })) {
        parts.push(part);
        bytes += part.length;
        this.#waitingBytes += part.length;
        if (this.#waitingBytes > WAITING_BYTES_MAX) throw new Error('too much at a time');
        if (wanted === STREAM_HEAD_BYTES && bytes >= wanted) {
          const head = Buffer.concat(parts).subarray(0, STREAM_HEAD_BYTES);
          wanted += streamLength(head);
        }
        if (wanted > STREAM_HEAD_BYTES && bytes >= wanted) {
          return Buffer.concat(parts).subarray(0, wanted);
        }
      }
      throw new Error('ended early');
    } finally {
      this.#waitingBytes -= bytes;
    }
  }

  /** Ends a connection when its time is over. Returns how to end it before. */
  #guard(socket: Socket, timeoutMs: number): () => void {
    this.#connections.add(socket);
    const timer = setTimeout(() => socket.destroy(new Error('timed out')), timeoutMs);
    socket.on('error', () => {});
    return () => {
      clearTimeout(timer);
      this.#connections.delete(socket);
      if (!socket.writableFinished) socket.destroy();
      else socket.destroySoon();
    };
  }

  #warn(message: string, error: Error): void {
    this.#logger.warn({ error: error.message }, message);
  }
}

/** Rejects when the connection breaks. */
function failure(socket: Socket): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
  failed.catch(() => {});
  return failed;
}
