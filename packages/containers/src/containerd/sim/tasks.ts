import { Code, RpcError } from '@skep/platform';
import type { TasksApi } from '../containerd.js';
import type { ExitState, NewExec, NewTask, ProcessIo, ProcessState } from '../types.js';
import { alreadyExists, mustGet, notFound, type SimWorld } from './world.js';

/** How a simulated process behaves once started. */
export interface ProcessScript {
  /** Ends by itself after this time; runs on when absent. */
  exitAfterMs?: number;
  exitStatus?: number;
  /** Signals it does nothing about; SIGKILL always works. */
  ignores?: number[];
  /** `start` fails with this text, as runc's errors arrive. */
  startError?: string;
}

export interface SimProcess extends ProcessState {
  io: ProcessIo;
  script: ProcessScript;
  waiters: ((exit: ExitState) => void)[];
}

const SIGKILL = 9;
const SIGNAL_EXIT_BASE = 128;
const FIRST_PID = 1_000;

/** Processes that run, end and are killed by script. */
export class SimTasks {
  readonly #world: SimWorld;
  readonly #scripts = new Map<string, ProcessScript>();
  #nextPid = FIRST_PID;

  constructor(world: SimWorld) {
    this.#world = world;
  }

  /**
   * Sets how processes behave that are created from now on, in one container or (`*`) in all
   * others.
   */
  script(containerId: string, script: ProcessScript): void {
    this.#scripts.set(containerId, script);
  }

  /** Ends a running process. */
  exit(containerId: string, exitStatus: number, execId = ''): void {
    const process = this.#world.tasks.get(containerId)?.get(execId);
    if (!process || process.status === 'stopped') return;
    process.status = 'stopped';
    process.exitStatus = exitStatus;
    process.exitedNs = this.#world.nowNs();
    const { pid, exitedNs } = process;
    this.#world.emit({ kind: 'task-exit', containerId, execId, pid, exitStatus, exitedNs });
    for (const resolve of process.waiters.splice(0)) resolve({ exitStatus, exitedNs });
    if (execId !== '') return;
    // With its first process a container loses all others.
    for (const other of this.#world.tasks.get(containerId)?.keys() ?? []) {
      if (other !== '') this.exit(containerId, SIGNAL_EXIT_BASE + SIGKILL, other);
    }
  }

  oom(containerId: string): void {
    this.#world.emit({ kind: 'task-oom', containerId });
    this.exit(containerId, SIGNAL_EXIT_BASE + SIGKILL);
  }

  add(containerId: string, execId: string, io: ProcessIo): SimProcess {
    const { tasks } = this.#world;
    const processes = tasks.get(containerId) ?? new Map<string, SimProcess>();
    if (processes.has(execId)) throw alreadyExists(`task ${containerId}`);
    const process: SimProcess = {
      containerId,
      execId,
      pid: execId === '' ? this.#nextPid++ : 0,
      status: 'created',
      exitStatus: 0,
      exitedNs: 0n,
      io,
      script: this.#scripts.get(containerId) ?? this.#scripts.get('*') ?? {},
      waiters: [],
    };
    processes.set(execId, process);
    tasks.set(containerId, processes);
    return process;
  }

  find(containerId: string, execId = ''): SimProcess {
    const process = this.#world.tasks.get(containerId)?.get(execId);
    if (!process) throw notFound(`task ${containerId}`);
    return process;
  }

  start(containerId: string, execId: string): number {
    const process = this.find(containerId, execId);
    if (process.status !== 'created') {
      throw new RpcError(Code.FAILED_PRECONDITION, 'process is not in state created');
    }
    const { startError, exitAfterMs, exitStatus = 0 } = process.script;
    if (startError !== undefined) throw new RpcError(Code.UNKNOWN, startError);
    process.status = 'running';
    if (process.pid === 0) process.pid = this.#nextPid++;
    const { pid } = process;
    if (exitAfterMs !== undefined) {
      this.#world.clock.after(exitAfterMs, () => {
        if (this.#world.tasks.get(containerId)?.get(execId) === process) {
          this.exit(containerId, exitStatus, execId);
        }
      });
    }
    return pid;
  }

  kill(containerId: string, execId: string, signal: number): void {
    const process = this.find(containerId, execId);
    if (process.status === 'stopped') throw notFound('process already finished');
    const ignored = signal === 0 || process.script.ignores?.includes(signal);
    if (signal !== SIGKILL && ignored) return;
    this.exit(containerId, SIGNAL_EXIT_BASE + signal, execId);
  }

  wait(containerId: string, execId: string, signal?: AbortSignal): Promise<ExitState> {
    const process = this.find(containerId, execId);
    const { exitStatus, exitedNs } = process;
    if (process.status === 'stopped') return Promise.resolve({ exitStatus, exitedNs });
    return new Promise((resolve, reject) => {
      process.waiters.push(resolve);
      const canceled = () => reject(new RpcError(Code.CANCELED, 'call cancelled'));
      signal?.addEventListener('abort', canceled, { once: true });
    });
  }

  remove(containerId: string, execId: string): ExitState {
    const process = this.find(containerId, execId);
    if (process.status === 'running' || process.status === 'paused') {
      throw new RpcError(Code.UNKNOWN, 'cannot delete a running process');
    }
    const { exitStatus, exitedNs } = process;
    this.#world.tasks.get(containerId)?.delete(execId);
    if (execId === '') this.#world.tasks.delete(containerId);
    return { exitStatus, exitedNs };
  }
}

function stateOf({
  io: _io,
  script: _script,
  waiters: _waiters,
  ...state
}: SimProcess): ProcessState {
  return { ...state };
}

function create(world: SimWorld, tasks: SimTasks, task: NewTask): { pid: number } {
  const { containerId, rootfs: _rootfs, runtimeOptions: _options, ...io } = task;
  mustGet(world.containers, containerId, 'container');
  return { pid: tasks.add(containerId, '', io).pid };
}

function exec(tasks: SimTasks, request: NewExec): void {
  const { containerId, execId, process: _process, ...io } = request;
  if (tasks.find(containerId).status !== 'running') {
    throw new RpcError(Code.FAILED_PRECONDITION, 'cannot exec in a stopped container');
  }
  tasks.add(containerId, execId, io);
}

export function simTasksApi(world: SimWorld, tasks: SimTasks): TasksApi {
  const running = (id: string) => world.call(() => void tasks.find(id));
  return {
    create: (task) => world.call(() => create(world, tasks, task)),
    start: (id, execId = '') => world.call(() => ({ pid: tasks.start(id, execId) })),
    kill: (request) =>
      world.call(() => tasks.kill(request.containerId, request.execId ?? '', request.signal)),
    delete: (id) => world.call(() => tasks.remove(id, '')),
    deleteExec: (id, execId) => world.call(() => tasks.remove(id, execId)),
    get: (id, execId = '') => world.call(() => stateOf(tasks.find(id, execId))),
    list: () =>
      world.call(() => [...world.tasks.values()].flatMap((all) => all.get('') ?? []).map(stateOf)),
    wait: (id, execId = '', signal = undefined) => world.call(() => tasks.wait(id, execId, signal)),
    exec: (request) => world.call(() => exec(tasks, request)),
    resizePty: (id, _size, execId = '') => world.call(() => void tasks.find(id, execId)),
    closeStdin: (id, execId = '') => world.call(() => void tasks.find(id, execId)),
    pause: (id) =>
      world.call(() => {
        tasks.find(id).status = 'paused';
      }),
    resume: (id) =>
      world.call(() => {
        tasks.find(id).status = 'running';
      }),
    pids: (id) =>
      world.call(() => [...(world.tasks.get(id)?.values() ?? [])].map((process) => process.pid)),
    update: running,
    metrics: () => world.call(() => []),
  };
}
