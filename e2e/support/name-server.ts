import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';

const PORT = 53;
const TTL_SECONDS = 60;
/** What a datagram may hold where the question says nothing else (RFC 1035, 4.2.1). */
const DATAGRAM_BYTES = 512;

const RESPONSE = 0x8180;
const TRUNCATED = 0x0200;
const NO_SUCH_NAME = 3;
const HEADER_BYTES = 12;
/** Points back at the name of the question. */
const QUESTION_NAME = 0xc00c;

/** A name server of the world outside: knows a few names, by UDP and by TCP. */
export class NameServer {
  readonly #udp: Socket;
  readonly #tcp: Server;

  private constructor(names: Record<string, readonly string[]>) {
    this.#udp = createSocket('udp4');
    this.#udp.on('message', (query, { address, port }) => {
      const answer = answerTo(query, names);
      const fits = answer.length <= DATAGRAM_BYTES;
      this.#udp.send(fits ? answer : truncated(query), port, address);
    });
    this.#tcp = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (data) => {
        const answer = answerTo(data.subarray(2), names);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.end(Buffer.concat([length, answer]));
      });
    });
  }

  static async start(
    address: string,
    names: Record<string, readonly string[]>,
  ): Promise<NameServer> {
    const server = new NameServer(names);
    await new Promise<void>((resolve) => server.#udp.bind(PORT, address, resolve));
    await new Promise<void>((resolve) => server.#tcp.listen(PORT, address, resolve));
    return server;
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#udp.close(() => resolve()));
    await new Promise((resolve) => this.#tcp.close(resolve));
  }
}

/** The question alone: a name, its type and its class. */
function questionOf(query: Buffer): { bytes: Buffer; name: string } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { bytes: query.subarray(HEADER_BYTES, at + 5), name: labels.join('.').toLowerCase() };
}

function message(query: Buffer, flags: number, addresses: readonly string[]): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(addresses.length, 6);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(QUESTION_NAME, 0);
    record.writeUInt16BE(1, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(TTL_SECONDS, 6);
    record.writeUInt16BE(4, 10);
    record.set(address.split('.').map(Number), 12);
    return record;
  });
  return Buffer.concat([header, questionOf(query).bytes, ...records]);
}

function answerTo(query: Buffer, names: Record<string, readonly string[]>): Buffer {
  const known = names[questionOf(query).name];
  return message(query, known ? RESPONSE : RESPONSE | NO_SUCH_NAME, known ?? []);
}

function truncated(query: Buffer): Buffer {
  return message(query, RESPONSE | TRUNCATED, []);
}
