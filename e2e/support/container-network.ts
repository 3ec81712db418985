import { type ChildProcess, spawn } from 'node:child_process';
import { ended, must } from './exec.ts';
import type { TestMachines } from './machines.ts';

/** Prints each datagram of a port as a line, up to one that says `end`. */
const LISTEN = `
  const socket = require('dgram').createSocket('udp4');
  socket.on('message', (data) => {
    if (String(data) === 'end') process.exit(0);
    console.log(String(data));
  });
  socket.bind(Number(process.argv[1]), () => console.error('listens'));
`;

const SEND = `
  const [address, port, ...texts] = process.argv.slice(1);
  const socket = require('dgram').createSocket('udp4');
  const next = () => {
    const text = texts.shift();
    text === undefined ? socket.close() : socket.send(text, Number(port), address, next);
  };
  next();
`;

/** Passes on what is typed, and prints what comes back. */
const CONNECT = `
  const [address, port] = process.argv.slice(1);
  const socket = require('net').connect(Number(port), address);
  socket.on('error', ({ code }) => { console.log(code); process.exit(1); });
  socket.pipe(process.stdout);
  process.stdin.pipe(socket);
`;

/** Lines that a process has printed, and those it will print. */
export class Lines {
  readonly #child: ChildProcess;
  #text = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      this.#text += chunk;
    });
  }

  get seen(): string[] {
    return this.#text.split('\n').filter((line) => line !== '');
  }

  type(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** All lines, once the process has ended. */
  async all(): Promise<string[]> {
    await ended(this.#child);
    return this.seen;
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** The network of a container, for processes of the test: no daemon has a part in them. */
export class ContainerNetwork {
  readonly #enter: string[];

  private constructor(namespace: string) {
    this.#enter = [`--net=${namespace}`, process.execPath, '-e'];
  }

  static async of(machines: TestMachines, node: string, id: string): Promise<ContainerNetwork> {
    const key = await machines.docker(
      ...([node, 'inspect', '-f', '{{.NetworkSettings.SandboxKey}}', id] as const),
    );
    return new ContainerNetwork(`/proc/${await machines.pid(node)}/root${key}`);
  }

  /** Collects the datagrams that come to a port, until one that says `end`. */
  async listen(port: number): Promise<Lines> {
    const child = this.#start(LISTEN, String(port));
    await new Promise((resolve) => child.stderr?.once('data', resolve));
    return new Lines(child);
  }

  async send(address: string, port: number, ...texts: string[]): Promise<void> {
    await must('nsenter', [...this.#enter, SEND, address, String(port), ...texts]);
  }

  /** A connection that is kept. */
  connect(address: string, port: number): Lines {
    return new Lines(this.#start(CONNECT, address, String(port)));
  }

  #start(program: string, ...words: string[]): ChildProcess {
    return spawn('nsenter', [...this.#enter, program, ...words]);
  }
}
