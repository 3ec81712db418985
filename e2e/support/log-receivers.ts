import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;
const ADDRESS_BYTES = 110;
const DATAGRAM_BYTES_MAX = 256 * 1024;

interface Calls {
  socket(family: number, type: number, protocol: number): number;
  bind(socket: number, address: Uint8Array, bytes: number): number;
  recv(socket: number, data: Uint8Array, bytes: number, flags: number): number;
}

function loadCalls(): Calls {
  // A dependency of the package that speaks to the kernel, not of the tests.
  const near = new URL('../../packages/containers/package.json', import.meta.url);
  const koffi = createRequire(near)('koffi') as typeof import('koffi');
  const library = koffi.load('libc.so.6');
  return {
    socket: library.func('int socket(int family, int type, int protocol)'),
    bind: library.func('int bind(int socket, const uint8_t *address, uint32_t bytes)'),
    recv: library.func('long recv(int socket, _Out_ uint8_t *data, size_t bytes, int flags)'),
  };
}

/** A socket for datagrams in a directory of its own, as the journal or a syslog has one. */
export class DatagramReceiver {
  readonly directory = mkdtempSync(join(tmpdir(), 'skep-receiver-'));
  readonly path = join(this.directory, 'socket');
  readonly #calls = loadCalls();
  readonly #socket: number;

  constructor() {
    this.#socket = this.#calls.socket(AF_UNIX, SOCK_DGRAM, 0);
    const address = Buffer.alloc(ADDRESS_BYTES);
    address.writeUInt16LE(AF_UNIX);
    address.write(this.path, 2);
    if (this.#calls.bind(this.#socket, address, address.length) !== 0) {
      throw new Error(`cannot bind ${this.path}`);
    }
  }

  /** What has come since the last call. */
  take(): string[] {
    const all: string[] = [];
    const data = Buffer.alloc(DATAGRAM_BYTES_MAX);
    for (;;) {
      const bytes = Number(this.#calls.recv(this.#socket, data, data.length, MSG_DONTWAIT));
      if (bytes < 0) return all;
      all.push(data.toString('utf8', 0, bytes));
    }
  }

  close(): void {
    closeSync(this.#socket);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A syslog server on a socket of this machine that keeps what it is told. */
export class StreamReceiver {
  readonly directory = mkdtempSync(join(tmpdir(), 'skep-receiver-'));
  readonly path = join(this.directory, 'socket');
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  text = '';

  async listen(): Promise<void> {
    const server = createServer((connection) => {
      this.#connections.add(connection);
      connection.on('data', (data) => {
        this.text += data.toString();
      });
      connection.on('error', () => {});
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.path, resolve));
  }

  /** Ends all connections and takes no new ones. */
  async goAway(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    this.#connections.clear();
    const server = this.#server;
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  async close(): Promise<void> {
    await this.goAway();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
