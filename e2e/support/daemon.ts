import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ended, exec, must, type Result, until } from './exec.js';
import { descendants, mountsBelow, processesMentioning, removeControlGroups } from './leftovers.js';

const SKEPD = new URL('../../bin/skepd', import.meta.url).pathname;

/** The node's address, and that of its neighbour outside. */
export const NODE_ADDRESS = '192.0.2.10';
export const OUTSIDE_ADDRESS = '192.0.2.1';

let counter = 0;

export interface DaemonSettings {
  /** More flags for skepd. */
  flags?: string[];
  /** Path of the docker client; the newest one installed unless given. */
  docker?: string;
  /** Directory searched for programs before all others. */
  programs?: string;
  /** A command that skepd is the last arguments of, `unshare` say. */
  within?: string[];
}

/**
 * A skepd of a test: own data root, exec root and network namespace, so that nothing of the host is touched
 * and nothing of another test seen. `cleanUp` leaves no process, mount, namespace or file behind.
 */
export class TestDaemon {
  readonly directory: string;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly socket: string;
  readonly namespace: string;
  readonly outsideNamespace: string;
  readonly logFile: string;
  readonly #settings: DaemonSettings;
  #child: ChildProcess | undefined;

  constructor(settings: DaemonSettings = {}) {
    this.#settings = settings;
    this.directory = mkdtempSync(join(tmpdir(), 'skep-e2e-'));
    this.dataRoot = join(this.directory, 'data');
    this.execRoot = join(this.directory, 'run');
    this.socket = join(this.execRoot, 'skep.sock');
    this.logFile = join(this.directory, 'skepd.log');
    this.namespace = `skep-e2e-${process.pid}-${counter++}`;
    this.outsideNamespace = `${this.namespace}-out`;
    mkdirSync(join(this.directory, 'docker'), { recursive: true });
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /**
   * Makes the node's namespace, and one outside of it that is the node's neighbour and gateway: 192.0.2.10
   * and 192.0.2.1 on one wire.
   */
  async prepare(): Promise<void> {
    await must('ip', ['netns', 'add', this.namespace]);
    await must('ip', ['netns', 'add', this.outsideNamespace]);
    const far = ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns'];
    await must('ip', ['-n', this.namespace, ...far, this.outsideNamespace]);
    for (const [namespace, address] of [
      [this.namespace, NODE_ADDRESS],
      [this.outsideNamespace, OUTSIDE_ADDRESS],
    ] as const) {
      const batch = ['link set lo up', `addr add ${address}/24 dev eth0`, 'link set eth0 up'];
      if (address === NODE_ADDRESS) batch.push(`route add default via ${OUTSIDE_ADDRESS}`);
      await must('ip', ['-n', namespace, '-batch', '-'], { input: `${batch.join('\n')}\n` });
    }
    // Whatever lies behind the neighbour is refused at once, so that nothing waits for a name server.
    await must('ip', ['-n', this.outsideNamespace, 'route', 'add', 'unreachable', 'default']);
    await this.outside('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  }

  /** Starts skepd and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(this.logFile, 'a');
    const child = spawn(
      'nsenter',
      [
        `--net=/run/netns/${this.namespace}`,
        ...(this.#settings.within ?? []),
        SKEPD,
        ...['--data-root', this.dataRoot, '--exec-root', this.execRoot, '--log-level', 'debug'],
        ...(this.#settings.flags ?? []),
      ],
      { stdio: ['ignore', log, log], env: { ...process.env, PATH: this.#path } },
    );
    closeSync(log);
    this.#child = child;
    await until(
      async () => child.exitCode ?? (await exec('curl', this.#curl('/_ping'))).stdout,
      (answer) => {
        if (typeof answer === 'number') throw new Error(`skepd ended (${answer}):\n${this.log()}`);
        return answer === 'OK';
      },
    );
  }

  get #path(): string {
    const { programs } = this.#settings;
    return [programs, process.env['PATH']].filter(Boolean).join(':');
  }

  #curl(path: string, ...more: string[]): string[] {
    return ['-s', '--max-time', '30', '--unix-socket', this.socket, ...more, `http://skep${path}`];
  }

  /** GET of the API, parsed. */
  async get<T = unknown>(path: string): Promise<T> {
    return JSON.parse(await must('curl', this.#curl(path))) as T;
  }

  /** Status and body of any request to the API. */
  async request(
    method: string,
    path: string,
    body?: string,
  ): Promise<{ status: number; body: string }> {
    const data = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', body];
    const answer = await must(
      'curl',
      this.#curl(path, '-X', method, '-w', '\n%{http_code}', ...data),
    );
    const cut = answer.lastIndexOf('\n');
    return { status: Number(answer.slice(cut + 1)), body: answer.slice(0, cut) };
  }

  /** Runs the docker client against this daemon. */
  dockerResult(args: readonly string[], options: Parameters<typeof exec>[2] = {}): Promise<Result> {
    const env = {
      ...process.env,
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_CONFIG: join(this.directory, 'docker'),
      DOCKER_CLI_HINTS: 'false',
    };
    return exec(this.#settings.docker ?? 'docker', args, { env, ...options });
  }

  /** Output of a docker command that must succeed, without the last newline. */
  async docker(...args: string[]): Promise<string> {
    const result = await this.dockerResult(args);
    if (result.code !== 0) {
      throw new Error(
        `docker ${args.join(' ')}: exit ${result.code}: ${result.stderr}${result.stdout}`,
      );
    }
    return result.stdout.replace(/\n$/, '');
  }

  /** Standard error of a docker command that must fail. */
  async dockerFails(...args: string[]): Promise<string> {
    const result = await this.dockerResult(args);
    if (result.code === 0) throw new Error(`docker ${args.join(' ')} succeeded: ${result.stdout}`);
    return result.stderr.trim();
  }

  /** Runs a command inside the daemon's network namespace. */
  inside(...command: string[]): Promise<Result> {
    return exec('nsenter', [`--net=/run/netns/${this.namespace}`, ...command]);
  }

  /** Runs a command on the node's neighbour. */
  outside(...command: string[]): Promise<Result> {
    return exec('nsenter', [`--net=/run/netns/${this.outsideNamespace}`, ...command]);
  }

  /** Body of an HTTP answer as the node's neighbour gets it; empty when there is none. */
  async fetchFromOutside(port: number, path = '/'): Promise<string> {
    const url = `http://${NODE_ADDRESS}:${port}${path}`;
    return (await this.outside('curl', '-s', '--max-time', '2', url)).stdout;
  }

  /** Body of an HTTP answer as a process on the node gets it; empty when there is none. */
  async fetch(url: string): Promise<string> {
    return (await this.inside('curl', '-s', '--max-time', '2', url)).stdout;
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Ends skepd alone, cleanly or (SIGKILL) without any notice. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.#child) return;
    this.#child.kill(signal);
    await ended(this.#child);
    this.#child = undefined;
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.end(signal);
    await this.start();
  }

  /** Removes everything, however far the test came. */
  async cleanUp(): Promise<void> {
    await this.end('SIGKILL');
    const mentioning = processesMentioning(this.directory);
    for (const pid of [...mentioning.flatMap(descendants), ...mentioning]) kill(pid);
    await until(
      async () => processesMentioning(this.directory),
      (pids) => {
        for (const pid of pids) kill(pid);
        return pids.length === 0;
      },
    );
    for (const point of mountsBelow(this.directory)) await exec('umount', ['-l', point]);
    removeControlGroups(this.#containerIds());
    await exec('ip', ['netns', 'del', this.namespace]);
    await exec('ip', ['netns', 'del', this.outsideNamespace]);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Of the containers whose records are left, that is, of a test that did not remove them. */
  #containerIds(): string[] {
    const records = join(this.dataRoot, 'containers');
    return existsSync(records) ? readdirSync(records) : [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ended meanwhile
  }
}
