import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Code, RpcError } from '@skep/platform';
import type { Containerd, EventListener } from '../containerd/containerd.js';
import type { ContainerdEvent, NewTask, ProcessStatus } from '../containerd/types.js';

interface FakeTask {
  pid: number;
  status: ProcessStatus;
  exitStatus: number;
  signals: number[];
  files: number[];
}

type Event = ContainerdEvent extends infer E
  ? E extends unknown
    ? Omit<E, 'timeNs'>
    : never
  : never;

/**
 * containerd in memory, as far as the engine uses it: containers, tasks with streams, writable
 * layers and events. Processes end when a test says so, or by SIGKILL.
 */
export class FakeContainerd {
  readonly containers = new Map<string, object>();
  readonly tasks = new Map<string, FakeTask>();
  readonly layers = new Set<string>();
  readonly #listeners = new Set<EventListener>();
  #nextPid = 1000;
  /** Thrown by the next start. */
  startError: Error | undefined;
  /** What a SIGKILL is answered with, though it is carried out. */
  killError: Error | undefined;
  /** A process that gets SIGTERM ends with this code; undefined: it does not care. */
  exitOnTerm: number | undefined = 143;

  /** The part of the client that the engine calls. */
  get client(): Containerd {
    return {
      containers: this.#containersApi(),
      tasks: this.#tasksApi(),
      snapshots: this.#snapshotsApi(),
      events: {
        connected: true,
        subscribe: (listener: EventListener) => this.#subscribe(listener),
      },
    } as unknown as Containerd;
  }

  #subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    listener.onResync?.();
    return () => void this.#listeners.delete(listener);
  }

  emit(event: Event): void {
    for (const listener of this.#listeners)
      listener.onEvent?.({ timeNs: 0n, ...event } as ContainerdEvent);
  }

  /** containerd came back after having been away. */
  resync(): void {
    for (const listener of this.#listeners) listener.onResync?.();
  }

  print(id: string, text: string): void {
    const file = this.#task(id).files[0];
    if (file !== undefined) writeSync(file, text);
  }

  /** Ends a process. `silent`: nobody hears of it, as while the event stream is down. */
  exit(id: string, exitStatus: number, options: { silent?: boolean; atMs?: number } = {}): void {
    const task = this.#task(id);
    Object.assign(task, { status: 'stopped', exitStatus });
    for (const file of task.files.splice(0)) closeSync(file);
    const exitedNs = BigInt(options.atMs ?? 0) * 1_000_000n;
    if (options.silent) return;
    this.emit({
      kind: 'task-exit',
      containerId: id,
      execId: '',
      pid: task.pid,
      exitStatus,
      exitedNs,
    });
  }

  #task(id: string): FakeTask {
    const task = this.tasks.get(id);
    if (!task) throw new RpcError(Code.NOT_FOUND, `task ${id}: not found`);
    return task;
  }

  #containersApi() {
    return {
      create: async (container: { id: string }) =>
        void this.containers.set(container.id, container),
      delete: async (id: string) => {
        if (!this.containers.delete(id)) throw new RpcError(Code.NOT_FOUND, `${id}: not found`);
      },
      list: async () => [...this.containers.keys()].map((id) => ({ id })),
    };
  }

  #tasksApi() {
    return {
      create: async ({ containerId, stdout, stderr }: NewTask) => {
        const pid = this.#nextPid++;
        const files = [stdout, stderr]
          .filter((path): path is string => Boolean(path))
          .map((path) => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK));
        this.tasks.set(containerId, { pid, status: 'created', exitStatus: 0, signals: [], files });
        return { pid };
      },
      start: async (id: string) => {
        const error = this.startError;
        this.startError = undefined;
        if (error) throw error;
        this.#task(id).status = 'running';
        return { pid: this.#task(id).pid };
      },
      kill: async ({ containerId, signal }: { containerId: string; signal: number }) => {
        const task = this.#task(containerId);
        task.signals.push(signal);
        if (signal === 9) this.exit(containerId, 137);
        if (signal === 9 && this.killError) throw this.killError;
        if (signal === 15 && this.exitOnTerm !== undefined) this.exit(containerId, this.exitOnTerm);
      },
      delete: async (id: string) => {
        const task = this.#task(id);
        if (task.status !== 'stopped') {
          throw new RpcError(Code.UNKNOWN, 'cannot delete a running process');
        }
        this.tasks.delete(id);
        return { exitStatus: task.exitStatus, exitedNs: 0n };
      },
      wait: async () => ({ exitStatus: 0, exitedNs: 0n }),
      get: async (id: string) => {
        const { pid, status, exitStatus } = this.#task(id);
        return { containerId: id, execId: '', pid, status, exitStatus, exitedNs: 5_000_000n };
      },
      pause: async (id: string) => void (this.#task(id).status = 'paused'),
      resume: async (id: string) => void (this.#task(id).status = 'running'),
      list: async () =>
        [...this.tasks].map(([containerId, { pid, status, exitStatus }]) => {
          return { containerId, execId: '', pid, status, exitStatus, exitedNs: 5_000_000n };
        }),
    };
  }

  #snapshotsApi() {
    return {
      snapshotter: 'overlayfs',
      prepare: async (key: string) => {
        this.layers.add(key);
        return [];
      },
      remove: async (key: string) => {
        if (!this.layers.delete(key)) throw new RpcError(Code.NOT_FOUND, `${key}: not found`);
      },
      list: async () => [...this.layers].map((name) => ({ name })),
      stat: async (key: string) => ({ name: key, parent: '' }),
      usage: async (key: string) => {
        if (!this.layers.has(key)) throw new RpcError(Code.NOT_FOUND, `${key}: not found`);
        return { bytes: 10, inodes: 1 };
      },
    };
  }
}
