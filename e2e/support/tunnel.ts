import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ended } from './exec.js';

/**
 * Run inside the namespace: takes connections of a port and passes them to a unix socket, which
 * knows no namespaces.
 */
const DOOR = `
  const { connect, createServer } = require('node:net');
  const [port, path] = process.argv.slice(1);
  const server = createServer((outer) => {
    const inner = connect(path);
    const both = [outer, inner];
    const close = () => both.map((end) => end.destroy());
    for (const end of both) end.on('error', () => {}).on('close', close);
    outer.pipe(inner).pipe(outer);
  });
  server.listen(Number(port), '0.0.0.0', () => process.stdout.write('open'));
`;

/**
 * A port of this process's loopback, on all addresses of another network namespace: how a daemon in
 * a namespace of its own reaches the registry of its test.
 */
export class Tunnel {
  readonly #directory = mkdtempSync(join(tmpdir(), 'skep-tunnel-'));
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  readonly #server: Server;
  #child: ChildProcess | undefined;
  /** Bytes towards the daemon after which a connection is cut, each entry for one connection. */
  readonly cutAfterBytes: number[] = [];
  /** Connections made so far. */
  connections = 0;

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((socket) => this.#join(socket));
  }

  static async open(namespace: string, port: number): Promise<Tunnel> {
    const tunnel = new Tunnel(port);
    const path = join(tunnel.#directory, 'socket');
    await new Promise<void>((resolve) => tunnel.#server.listen(path, resolve));
    const inside = [`--net=/run/netns/${namespace}`, process.execPath, '-e', DOOR];
    const child = spawn('nsenter', [...inside, String(port), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    tunnel.#child = child;
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`no tunnel to port ${port}: exit ${code}`)));
    });
    return tunnel;
  }

  async dispose(): Promise<void> {
    this.#child?.kill('SIGKILL');
    if (this.#child) await ended(this.#child);
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #join(outer: Socket): void {
    this.connections++;
    const inner = connect(this.#port, '127.0.0.1');
    const both = [outer, inner];
    for (const end of both) {
      this.#sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => {
        this.#sockets.delete(end);
        for (const each of both) each.destroy();
      });
    }
    outer.pipe(inner);
    inner.pipe(outer);
    let passed = 0;
    inner.on('data', (chunk) => {
      passed += chunk.length;
      const limit = this.cutAfterBytes[0];
      if (limit === undefined || passed < limit) return;
      this.cutAfterBytes.shift();
      for (const each of both) each.destroy();
    });
  }
}
