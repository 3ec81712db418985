import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exec, type Result, until } from './exec.ts';

const SKEP = new URL('../../bin/skep', import.meta.url).pathname;

/** Machines start together on two busy cores. */
const COMMAND_TIMEOUT_MS = 120_000;

/**
 * A set of machines of a test, with storage and switch of its own: names and addresses clash with
 * nobody's. `cleanUp` leaves no process, namespace, link, cgroup or file behind.
 */
export class TestMachines {
  readonly directory = mkdtempSync(join(tmpdir(), 'skep-machines-'));
  readonly storage = join(this.directory, 'machines');

  /** Runs `skep machine …`, whatever comes of it. */
  result(args: readonly string[], options: { input?: string } = {}): Promise<Result> {
    const env = {
      ...process.env,
      SKEP_MACHINE_STORAGE_PATH: this.storage,
      DOCKER_CONFIG: join(this.directory, 'docker'),
      DOCKER_CLI_HINTS: 'false',
    };
    return exec(SKEP, ['machine', ...args], { ...options, env, timeoutMs: COMMAND_TIMEOUT_MS });
  }

  /** Output of `skep machine …`, which must succeed, without the last newline. */
  async run(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.result(args);
    if (code !== 0) throw new Error(`skep machine ${args.join(' ')}: exit ${code}: ${stderr}`);
    return stdout.replace(/\n$/, '');
  }

  /** Standard error of `skep machine …`, which must fail. */
  async fails(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.result(args);
    if (code === 0) throw new Error(`skep machine ${args.join(' ')} succeeded: ${stdout}`);
    return stderr.trim();
  }

  /** Makes machines. `flags` as of `skep machine create`: `--engine-opt`, `--engine dockerd`. */
  async create(names: readonly string[], flags: readonly string[] = []): Promise<void> {
    await this.run('create', ...flags, ...names);
  }

  address(name: string): Promise<string> {
    return this.run('ip', name);
  }

  /** The engine's socket on the host. */
  socket(name: string): string {
    return join(this.storage, '.run', name, 'skep.sock');
  }

  /** What a machine's engine and start have written to standard error. */
  log(name: string): string {
    return readFileSync(join(this.storage, name, 'machine.log'), 'utf8');
  }

  /** Runs a shell's command line in a machine, whatever comes of it. */
  sshResult(name: string, command: string, options: { input?: string } = {}): Promise<Result> {
    return this.result(['ssh', name, command], options);
  }

  /** Output of a shell's command line in a machine, which must succeed. */
  ssh(name: string, command: string): Promise<string> {
    return this.run('ssh', name, command);
  }

  /** Runs the docker client on the host against a machine's engine. */
  dockerResult(
    name: string,
    args: readonly string[],
    options: Parameters<typeof exec>[2] = {},
  ): Promise<Result> {
    const env = {
      ...process.env,
      DOCKER_HOST: `unix://${this.socket(name)}`,
      DOCKER_CONFIG: join(this.directory, 'docker'),
      DOCKER_CLI_HINTS: 'false',
    };
    return exec('docker', args, { env, ...options });
  }

  /**
   * Output of a docker command that must succeed, without the last newline. A change of a node is asked
   * for again where the swarm itself wrote to the node meanwhile, which is refused as out of sequence.
   */
  async docker(name: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await until(
      () => this.dockerResult(name, args),
      (result) => args[0] !== 'node' || !result.stderr.includes('update out of sequence'),
    );
    const typed = `docker ${args.join(' ')}`;
    if (code !== 0) throw new Error(`${name}: ${typed}: exit ${code}: ${stderr}${stdout}`);
    return stdout.replace(/\n$/, '');
  }

  /** Standard error of a docker command that must fail. */
  async dockerFails(name: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.dockerResult(name, args);
    if (code === 0) throw new Error(`${name}: docker ${args.join(' ')} succeeded: ${stdout}`);
    return stderr.trim();
  }

  /** GET of a machine's engine, parsed. */
  async get<T = unknown>(name: string, path: string): Promise<T> {
    const ask = ['-s', '--max-time', '30', '--unix-socket', this.socket(name)];
    const { code, stdout } = await exec('curl', [...ask, `http://skep${path}`]);
    if (code !== 0) throw new Error(`${name}: GET ${path}: curl's exit ${code}`);
    return JSON.parse(stdout) as T;
  }

  /** Process 1 of a machine, in the host's numbering. */
  async pid(name: string): Promise<number> {
    const { pid } = JSON.parse(await this.run('inspect', name)) as { pid?: number };
    if (pid === undefined) throw new Error(`${name} does not run`);
    return pid;
  }

  start(name: string): Promise<string> {
    return this.run('start', name);
  }

  stop(name: string): Promise<string> {
    return this.run('stop', name);
  }

  /** A power cut. */
  kill(name: string): Promise<string> {
    return this.run('kill', name);
  }

  disconnect(name: string): Promise<string> {
    return this.run('disconnect', name);
  }

  connect(name: string): Promise<string> {
    return this.run('connect', name);
  }

  /** Removes everything, however far the test came. */
  async cleanUp(): Promise<void> {
    await this.run('rm', '-f', '--all');
    rmSync(this.directory, { recursive: true, force: true });
  }
}
