import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AttachedSandbox,
  NameService,
  RealKernel,
  RealNameSockets,
  Tables,
} from '@skep/network';
import { RealClock, RealRandom, SimDisk, silentLogger } from '@skep/platform';
import koffi from 'koffi';
import { ended, exec, type Result } from './exec.ts';

const CLONE_NEWNET = 0x40000000;
const libc = koffi.load('libc.so.6');
const unshare = libc.func('int unshare(int flags)');
const setns = libc.func('int setns(int fd, int kind)');

const TABLE = 'lab_dns';

/**
 * A name server that gives one IPv4 address for all names but those that begin with `lost`, which it
 * does not answer; what it has for `long` does not fit into a datagram.
 */
const SERVER = `
  const [address, answer] = process.argv.slice(1);
  const reply = (message, isTcp) => {
    const end = message.indexOf(0, 12) + 5;
    const name = message.toString('latin1', 13, end - 5);
    if (name.startsWith('lost')) return undefined;
    const record = Buffer.concat([
      Buffer.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), Buffer.from(answer.split('.').map(Number)),
    ]);
    const isIpv4 = message.readUInt16BE(end - 4) === 1;
    const count = !isIpv4 ? 0 : !name.startsWith('long') ? 1 : isTcp ? 100 : 0;
    const head = Buffer.from(message.subarray(0, end));
    head.writeUInt16BE(name.startsWith('long') && !isTcp ? 0x8380 : 0x8180, 2);
    head.writeUInt16BE(count, 6);
    head.writeUInt32BE(0, 8);
    return Buffer.concat([head, ...Array(count).fill(record)]);
  };
  const udp = require('dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (message, from) => {
    const answer = reply(message, false);
    if (answer) udp.send(answer, from.port, from.address);
  });
  require('net').createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => {
      const answer = reply(data.subarray(2), true);
      socket.write(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 255), answer]));
    });
  }).listen(53, address, () => udp.bind(53, address, () => console.log('ready')));
`;

/** A host of its own, whose containers have the name server and nothing else. */
export class NamesLab {
  readonly #machineNamespace = openSync('/proc/thread-self/ns/net', 'r');
  readonly #children: ChildProcess[] = [];
  readonly #directory: string;
  readonly #clock = new RealClock();
  readonly #kernel = new RealKernel();
  readonly #sockets = new RealNameSockets({ opener: this.#kernel, clock: this.#clock });
  readonly #disk = new SimDisk();
  readonly tables = new Tables();
  service!: NameService;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async start(): Promise<NamesLab> {
    const directory = await mkdtemp(join(tmpdir(), 'skep-names-'));
    unshare(CLONE_NEWNET);
    const lab = new NamesLab(directory);
    await exec('ip', ['link', 'set', 'lo', 'up']);
    await writeFile(join(directory, 'resolv.conf'), 'nameserver 127.0.0.11\noptions ndots:0\n');
    await lab.#disk.makeDirectory('/etc');
    lab.boot();
    return lab;
  }

  /** The daemon's part, as after a start of the process. */
  boot(): void {
    this.service?.close();
    this.service = new NameService({
      ...{ kernel: this.#kernel, sockets: this.#sockets, clock: this.#clock, disk: this.#disk },
      ...{ random: new RealRandom(), logger: silentLogger, table: TABLE },
    });
    this.tables.addReader(this.service.index);
  }

  async setHostServer(address: string): Promise<void> {
    await this.#disk.writeFileAtomic('/etc/resolv.conf', Buffer.from(`nameserver ${address}\n`));
    this.boot();
  }

  /** Makes a container's namespace, with a default route or without. */
  async makeNamespace(name: string, wayOut = true): Promise<string> {
    const namespace = join(this.#directory, name);
    const lo = { namespace, link: 'lo' };
    await this.#kernel.run([
      { op: 'namespace-add', path: namespace },
      { op: 'link-change', ...lo, change: { up: true } },
      ...(wayOut ? [{ op: 'route-add', destination: 'default', ...lo } as const] : []),
    ]);
    return namespace;
  }

  async removeNamespace(namespace: string): Promise<void> {
    await this.#kernel.run([{ op: 'namespace-remove', path: namespace }]);
  }

  /** Starts a name server on an address of a namespace; of the host when empty. */
  async serve(namespace: string, address: string, answer: string): Promise<void> {
    const command = [process.execPath, '-e', SERVER, address, answer];
    const [program = '', ...args] = namespace
      ? ['nsenter', `--net=${namespace}`, ...command]
      : command;
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
  }

  /** Runs a command in a container, whose resolv.conf names the name server. */
  run(namespace: string, ...command: string[]): Promise<Result> {
    const mount = `mount --bind ${this.#directory}/resolv.conf /etc/resolv.conf && exec "$@"`;
    const shell = ['unshare', '-m', 'sh', '-c', mount, 'sh', ...command];
    return exec('nsenter', [`--net=${namespace}`, ...shell]);
  }

  async cleanUp(): Promise<void> {
    this.service.close();
    for (const child of this.#children) {
      child.kill('SIGKILL');
      await ended(child);
    }
    for (const name of readdirSync(this.#directory)) {
      if (name !== 'resolv.conf') await this.removeNamespace(join(this.#directory, name));
    }
    await this.#kernel.close();
    setns(this.#machineNamespace, CLONE_NEWNET);
    closeSync(this.#machineNamespace);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** A container on the network `net`. */
export function boxIn(namespace: string, servers: string[] = []): AttachedSandbox {
  const names = { hostname: 'box', servers, search: [], options: [] };
  const at = { link: 'eth0', address: '10.0.1.11/24' };
  const network = { networkId: 'net', networkName: 'net', ...at, aliases: [], ingress: false };
  return { containerId: namespace, name: 'box', namespace, networks: [network], names };
}
