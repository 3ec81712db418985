import { type Processes, type RunOptions, type RunResult, SimClock, SimDisk } from '@skep/platform';
import type { EngineFacts } from '../contract.js';
import type {
  Cgroups,
  Engines,
  Launched,
  Launcher,
  LaunchRequest,
  Locker,
  ProcessInfo,
  ProcessTable,
} from './contract.js';
import type { MachineHost } from './machine-host.js';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const HOST_NAMESPACE = 'pid:[1]';
const OK: RunResult = { code: 0, stdout: '', stderr: '' };
const FAILED: RunResult = { code: 1, stdout: '', stderr: 'Cannot find device' };

/** Whoever waits lets the time pass, at once. */
class HastyClock extends SimClock {
  override sleep(delayMs: number): Promise<void> {
    return this.advance(delayMs);
  }
}

export interface SimProcess extends ProcessInfo {
  /** Signals it does not end of. */
  ignores: (NodeJS.Signals | number)[];
  cgroups: string[];
}

/** A host in memory: its machines are entries of a table, its network a list of commands. */
export class SimHost implements MachineHost, Processes, Launcher, ProcessTable, Engines, Locker {
  readonly clock = new HastyClock();
  readonly disk = new SimDisk();
  readonly all = new Map<number, SimProcess>();
  /** What `ip` and others were told, in order. */
  readonly commands: string[] = [];
  /** `pid signal`, in order. */
  readonly signals: string[] = [];
  /** Destinations of the host's routes. */
  routes: string[] = ['default', '192.0.2.0/24'];
  /** How engines fare that are started from now on. */
  engine: 'answers' | 'fails' | 'hangs' = 'answers';
  readonly removedCgroups: string[] = [];
  readonly #locks = new Set<string>();
  readonly #answering = new Map<string, number>();
  #switchStands = false;
  #lastPid = 1_000;

  readonly processes: Processes = this;
  readonly table: ProcessTable = this;
  readonly launcher: Launcher = this;
  readonly engines: Engines = this;
  readonly locker: Locker = this;
  readonly cgroups: Cgroups = {
    of: (pid) => this.all.get(pid)?.cgroups ?? [],
    removeEmpty: (paths) => void this.removedCgroups.push(...paths),
  };

  /** The host itself starts, for the first time or after its own power cut. */
  async boot(id: string): Promise<void> {
    this.all.clear();
    this.#answering.clear();
    this.#switchStands = false;
    await this.disk.makeDirectory('/proc/sys/kernel/random');
    await this.disk.writeFileAtomic(BOOT_ID, Buffer.from(`${id}\n`));
  }

  /** Adds a process; `parentPid` decides which machine it belongs to. */
  spawn(info: Partial<SimProcess>): SimProcess {
    const pid = info.pid ?? ++this.#lastPid;
    const parent = this.all.get(info.parentPid ?? 0);
    const process = {
      ...{ pid, parentPid: 1, startTicks: pid * 10, innerPid: pid, command: ['sh'] },
      ...{ pidNamespace: parent?.pidNamespace ?? HOST_NAMESPACE, ignores: [], cgroups: [] },
      ...info,
    };
    this.all.set(pid, process);
    return process;
  }

  async run(command: string, args: readonly string[], options?: RunOptions): Promise<RunResult> {
    const typed = [command, ...args].join(' ');
    this.commands.push(
      typed,
      ...String(options?.input ?? '')
        .split('\n')
        .filter(Boolean),
    );
    if (typed.startsWith('ip -j')) {
      return { ...OK, stdout: JSON.stringify(this.routes.map((dst) => ({ dst }))) };
    }
    if (typed.startsWith('ip netns add')) this.#switchStands = true;
    if (typed.startsWith('ip netns del')) this.#switchStands = false;
    return typed.includes('link show') && !this.#switchStands ? FAILED : OK;
  }

  launch({ args }: LaunchRequest): Launched {
    const start = args.indexOf('machine');
    const [name = '', , , runtime = '', ...engine] = args.slice(start + 1);
    const init = this.spawn({ innerPid: 1, command: ['tini', '--', 'sleep', 'infinity', name] });
    init.pidNamespace = `pid:[${init.pid}]`;
    return {
      line: async () => String(init.pid),
      release: () => this.#startEngine(init, runtime, engine),
      abort: () => this.signal(init.pid, 'SIGKILL'),
    };
  }

  #startEngine(init: SimProcess, runtime: string, command: string[]): void {
    this.spawn({ parentPid: init.pid, command: ['sleep', 'infinity'] });
    if (command.length === 0) return;
    if (this.engine === 'fails') {
      void this.disk.writeFileAtomic(`${runtime}/engine.exit`, Buffer.from('1\n'));
      return;
    }
    const engine = this.spawn({ parentPid: init.pid, command: ['node', '/dist/skepd.js'] });
    if (this.engine === 'answers') this.#answering.set(`${runtime}/skep.sock`, engine.pid);
  }

  async answers(socket: string): Promise<boolean> {
    return this.all.has(this.#answering.get(socket) ?? -1);
  }

  async facts(socket: string): Promise<EngineFacts | undefined> {
    return (await this.answers(socket)) ? { version: '1.2.3', swarmRole: '' } : undefined;
  }

  list(): ProcessInfo[] {
    return [...this.all.values()];
  }

  get(pid: number): ProcessInfo | undefined {
    return this.all.get(pid);
  }

  /** Like the kernel: with a namespace's process 1 all in it end, and what they began. */
  signal(pid: number, signal: NodeJS.Signals | number): void {
    this.signals.push(`${pid} ${signal}`);
    const process = this.all.get(pid);
    if (!process || process.ignores.includes(signal)) return;
    this.all.delete(pid);
    if (process.innerPid !== 1) return;
    for (const other of this.list()) {
      const isBelow = other.pidNamespace === process.pidNamespace || other.parentPid === pid;
      if (isBelow) this.all.delete(other.pid);
    }
  }

  async tryLock(path: string): Promise<{ release(): void } | undefined> {
    if (this.#locks.has(path)) return undefined;
    this.#locks.add(path);
    return { release: () => void this.#locks.delete(path) };
  }
}
