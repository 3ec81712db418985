import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AttachedSandbox, RealKernel, Tables, VipBalancer } from '@skep/network';
import { RealClock, silentLogger } from '@skep/platform';

export const VIP = '10.99.1.100';
const TABLE = 'skep';
const NET = 'net';
/** Spoilt tables are found soon. */
const COMPARE_PERIOD_MS = 300;

/** Tells its name and who asks, then echoes; datagrams are told the same. */
const SERVER = `
  const [port, name] = process.argv.slice(1);
  const line = (address) => name + ' ' + address.replace('::ffff:', '') + '\\n';
  require('net').createServer((socket) => {
    socket.on('error', () => {});
    socket.write(line(socket.remoteAddress));
    socket.pipe(socket);
  }).listen(Number(port), () => console.log('ready'));
  const udp = require('dgram').createSocket('udp4');
  udp.on('message', (_, from) => udp.send(line(from.address), from.port, from.address));
  udp.bind(Number(port));
`;

/** For each line of input sends it on one socket, and prints the first line that comes back. */
export const ASKER = `
  const [address, port, protocol, patienceMs] = process.argv.slice(1);
  const tell = (text) => console.log(String(text).trim().split('\\n')[0]);
  let timer;
  const wait = () => { timer = setTimeout(() => tell('nothing'), Number(patienceMs)); };
  const heard = (text) => { clearTimeout(timer); tell(text); };
  const lines = require('readline').createInterface({ input: process.stdin });
  if (protocol === 'udp') {
    const udp = require('dgram').createSocket('udp4');
    udp.on('message', heard).on('error', (error) => heard(error.code));
    udp.connect(Number(port), address);
    lines.on('line', (line) => { wait(); udp.send(line); });
  } else {
    const socket = require('net').connect(Number(port), address);
    wait();
    socket.on('data', heard).on('error', (error) => heard(error.code)).on('end', () => heard('end'));
    lines.on('line', (line) => { wait(); socket.write(line + '\\n'); });
  }
`;

/** Opens so many sockets one after the other, and prints what comes back on each first. */
const MANY = `
  const [address, port, protocol, count] = process.argv.slice(1);
  const ask = (done) => {
    const heard = (text) => { clearTimeout(timer); done(String(text).trim()); };
    const timer = setTimeout(() => heard('nothing'), 1500);
    if (protocol === 'udp') {
      const udp = require('dgram').createSocket('udp4');
      udp.on('message', heard).on('error', (error) => heard(error.code));
      udp.connect(Number(port), address, () => udp.send('?'));
    } else {
      const socket = require('net').connect(Number(port), address);
      socket.once('data', heard).on('error', (error) => heard(error.code));
    }
  };
  const next = (left) => left === 0 ? process.exit() : ask((text) => { console.log(text); next(left - 1); });
  next(Number(count));
`;

/** A socket in a namespace that stays open. */
export class Flow {
  readonly #child: ChildProcess;
  readonly #heard: string[] = [];
  #wake = () => {};

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.on('data', (data) => {
      this.#heard.push(...String(data).trim().split('\n'));
      this.#wake();
    });
  }

  /** What came back first, or the code of an error, or `nothing`. */
  async hears(): Promise<string> {
    while (this.#heard.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#heard.shift() ?? '';
  }

  say(line: string): Promise<string> {
    this.#child.stdin?.write(`${line}\n`);
    return this.hears();
  }
}

/** Containers on one network, each a namespace on one switch, and the node's virtual IPs. */
export class VipLab {
  readonly kernel = new RealKernel();
  readonly directory: string;
  readonly #children: ChildProcess[] = [];
  readonly #sandboxes: AttachedSandbox[] = [];
  tables = new Tables();
  balancer = this.#start();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async start(): Promise<VipLab> {
    const lab = new VipLab(await mkdtemp(join(tmpdir(), 'skep-vip-')));
    const namespace = lab.namespaceOf('switch');
    await lab.kernel.run([
      { op: 'namespace-add', path: namespace },
      { op: 'bridge-add', namespace, link: 'br0' },
      { op: 'link-change', namespace, link: 'br0', change: { up: true } },
    ]);
    return lab;
  }

  async cleanUp(): Promise<void> {
    this.balancer.close();
    for (const child of this.#children) child.kill('SIGKILL');
    const paths = [
      ...this.#sandboxes.map(({ namespace }) => namespace),
      this.namespaceOf('switch'),
    ];
    const commands = paths.map((path) => ({ op: 'namespace-remove', path }) as const);
    await this.kernel.run(commands, { onRefusal: 'continue' });
    await this.kernel.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A new process takes over what the last one left in the kernel. */
  async restart(): Promise<void> {
    this.balancer.close();
    this.tables = new Tables();
    this.balancer = this.#start();
    for (const sandbox of this.#sandboxes) await this.balancer.added(sandbox);
  }

  namespaceOf(name: string): string {
    return join(this.directory, name);
  }

  /** A container `c<number>` at 10.99.1.<number>. */
  async attach(number: number): Promise<void> {
    const containerId = `c${number}`;
    const namespace = this.namespaceOf(containerId);
    const address = `10.99.1.${number}/24`;
    const near = { namespace: this.namespaceOf('switch'), link: `v${number}`, master: 'br0' };
    await this.kernel.run([
      { op: 'namespace-add', path: namespace },
      { op: 'link-change', namespace, link: 'lo', change: { up: true } },
      { op: 'veth-add', mtuBytes: 1_500, near, far: { namespace, link: 'eth0' } },
      { op: 'address-add', namespace, link: 'eth0', address },
    ]);
    const network = { networkId: NET, networkName: NET, link: 'eth0', address };
    const names = { hostname: '', servers: [], search: [], options: [] };
    const networks = [{ ...network, aliases: [], ingress: false }];
    const sandbox = { containerId, name: containerId, namespace, networks, names };
    this.#sandboxes.push(sandbox);
    await this.balancer.added(sandbox);
  }

  /** Pulls the cable: whoever was there is silent from now on. */
  async unplug(number: number): Promise<void> {
    const namespace = this.namespaceOf('switch');
    await this.kernel.run([
      { op: 'link-change', namespace, link: `v${number}`, change: { up: false } },
    ]);
  }

  /** A server in a container, by TCP and UDP, which is called as the container is. */
  async serve(number: number, port = 80): Promise<void> {
    const child = this.#spawn(number, SERVER, String(port), `c${number}`);
    await new Promise((resolve) => child.stdout?.once('data', resolve));
  }

  open(number: number, protocol = 'tcp', address = VIP, patienceMs = 1_500): Flow {
    return new Flow(this.#spawn(number, ASKER, address, '80', protocol, String(patienceMs)));
  }

  /** The answers to so many flows of their own. */
  async ask(number: number, count: number, protocol = 'tcp'): Promise<string[]> {
    const words = ['-e', MANY, VIP, '80', protocol, String(count)];
    const { output } = await this.run(number, process.execPath, ...words);
    return output.trim().split('\n');
  }

  run(number: number, ...command: string[]): Promise<{ code: number; output: string }> {
    const words = [`--net=${this.namespaceOf(`c${number}`)}`, ...command];
    return new Promise((resolve) => {
      execFile('nsenter', words, (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
      });
    });
  }

  #start(): VipBalancer {
    const { kernel } = this;
    const balancer = new VipBalancer({
      ...{ kernel, clock: new RealClock(), logger: silentLogger, table: TABLE },
      comparePeriodMs: COMPARE_PERIOD_MS,
    });
    this.tables.addReader(balancer);
    return balancer;
  }

  #spawn(number: number, script: string, ...words: string[]): ChildProcess {
    const args = [`--net=${this.namespaceOf(`c${number}`)}`, process.execPath, '-e', script];
    const child = spawn('nsenter', [...args, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#children.push(child);
    return child;
  }
}
