import type {
  ContainerInspect,
  ContainerSummary,
  CreateRequest,
  EngineEvent,
  LogEntry,
  TaskExtras,
  WaitResult,
} from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import type { TaskEngine } from '../controller/room.js';

/** When every container was started: as simulated clocks begin. */
const STARTED_AT = '2026-01-01T00:00:00Z';

/** One container of the fake engine. */
export interface FakeContainer {
  id: string;
  name: string;
  request: CreateRequest;
  extras: TaskExtras | undefined;
  status: 'created' | 'running' | 'exited';
  exitCode: number;
  health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  starts: number;
  /** What a test has given it. */
  endpoints: { NetworkID: string; IPAddress: string }[];
}

/** An engine of containers that are only remembered. Processes end when a test says so. */
export class FakeEngine implements TaskEngine {
  readonly containers = new Map<string, FakeContainer>();
  readonly calls: string[] = [];
  readonly logged: LogEntry[] = [];
  /** Errors for the next calls of a method, in order. */
  failures: Record<string, unknown[]> = {};
  /** Exit code of a stopped process. */
  stopExitCode = 143;
  readonly #listeners = new Set<(event: EngineEvent) => void>();
  #count = 0;

  #call(method: string, detail: string): void {
    this.calls.push(`${method} ${detail}`);
    const failure = this.failures[method]?.shift();
    if (failure) throw failure;
  }

  find(nameOrId: string): FakeContainer {
    for (const container of this.containers.values()) {
      if (container.name === nameOrId || container.id === nameOrId) return container;
    }
    throw new RpcError(Code.NOT_FOUND, `No such container: ${nameOrId}`);
  }

  emit(container: FakeContainer, action: string): void {
    const Actor = { ID: container.id, Attributes: {} };
    const event: EngineEvent = { Type: 'container', Action: action, Actor, timeNano: 0n };
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** The container's process ends. */
  exit(nameOrId: string, exitCode: number): void {
    const container = this.find(nameOrId);
    container.status = 'exited';
    container.exitCode = exitCode;
    this.emit(container, 'die');
  }

  setHealth(nameOrId: string, health: 'healthy' | 'unhealthy'): void {
    const container = this.find(nameOrId);
    container.health = health;
    this.emit(container, `health_status: ${health}`);
  }

  async create(name: string | undefined, request: CreateRequest, extras?: TaskExtras) {
    this.#call('create', name ?? '');
    if ([...this.containers.values()].some((container) => container.name === name)) {
      throw new RpcError(Code.ALREADY_EXISTS, `The container name "/${name}" is already in use`);
    }
    const id = `id${++this.#count}`;
    const test = request.Healthcheck?.Test ?? [];
    this.containers.set(id, {
      id,
      name: name ?? id,
      request,
      extras,
      status: 'created',
      exitCode: 0,
      health: test.length > 0 && test[0] !== 'NONE' ? 'starting' : 'none',
      starts: 0,
      endpoints: [],
    });
    return { Id: id, Warnings: [] };
  }

  async start(nameOrId: string): Promise<void> {
    this.#call('start', nameOrId);
    const container = this.find(nameOrId);
    container.starts++;
    container.status = 'running';
    this.emit(container, 'start');
  }

  async stop(nameOrId: string, options?: { timeoutSeconds?: number }): Promise<boolean> {
    this.#call('stop', `${nameOrId} ${options?.timeoutSeconds}`);
    const wasRunning = this.find(nameOrId).status === 'running';
    if (wasRunning) this.exit(nameOrId, this.stopExitCode);
    return wasRunning;
  }

  async disconnect(nameOrId: string, network: string): Promise<void> {
    this.#call('disconnect', `${nameOrId} ${network}`);
    const container = this.find(nameOrId);
    container.endpoints = container.endpoints.filter(({ NetworkID }) => NetworkID !== network);
  }

  async remove(nameOrId: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    this.#call('remove', `${nameOrId} ${options.force} ${options.volumes}`);
    const container = this.find(nameOrId);
    this.containers.delete(container.id);
    this.emit(container, 'destroy');
  }

  async wait(nameOrId: string, _condition: string, signal?: AbortSignal): Promise<WaitResult> {
    this.#call('wait', nameOrId);
    const container = this.find(nameOrId);
    if (container.status === 'running') {
      await new Promise<void>((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason));
        this.onEvent(({ Action, Actor }) => {
          if (Action === 'die' && Actor.ID === container.id) resolve();
        });
      });
    }
    return { StatusCode: container.exitCode };
  }

  async inspect(nameOrId: string): Promise<ContainerInspect> {
    const { endpoints, exitCode, health, id, name, request, status } = this.find(nameOrId);
    const Running = status === 'running';
    return {
      Id: id,
      Name: `/${name}`,
      State: {
        Status: status,
        Running,
        Pid: Running ? 42 : 0,
        StartedAt: STARTED_AT,
        ExitCode: exitCode,
        ...(health === 'none' ? {} : { Health: { Status: health, FailingStreak: 0, Log: [] } }),
      },
      Config: { Healthcheck: request.Healthcheck },
      NetworkSettings: {
        Ports: Running ? (request.HostConfig?.PortBindings ?? {}) : {},
        Networks: Object.fromEntries(endpoints.map((endpoint, at) => [`net${at}`, endpoint])),
      },
    } as unknown as ContainerInspect;
  }

  async list(): Promise<ContainerSummary[]> {
    return [...this.containers.values()].map(
      ({ id, request, status }) =>
        ({ Id: id, Labels: request.Labels ?? {}, State: status }) as ContainerSummary,
    );
  }

  async *logs(): AsyncIterable<LogEntry> {
    yield* this.logged;
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
