import { Code, errorMessage, RpcError } from '@skep/platform';
import type { ContainerdEvent } from '../containerd/types.js';
import type { CreateRequest, EndpointConfig, LogConfig, TaskExtras } from '../contract/config.js';
import type {
  AttachOptions,
  ContainerEngine,
  ExecRequest,
  Filters,
  ListOptions,
  LogEntry,
  LogOptions,
  StreamSession,
  WaitCondition,
  WaitResult,
} from '../contract/engine.js';
import type {
  ContainerInspect,
  ContainerSummary,
  EngineEvent,
  ExecInspect,
} from '../contract/state.js';
import { Creator } from '../create/creator.js';
import { checkPlatform } from '../create/platform.js';
import { creationWarnings } from '../create/warnings.js';
import { ExecManager } from '../exec/exec-manager.js';
import { HealthChecks } from '../health/health-checks.js';
import { readLog } from '../logs/log-reader.js';
import { checkName } from '../records/directory.js';
import { Connector } from '../run/connector.js';
import { ExitHandler } from '../run/exit-handler.js';
import { Remover } from '../run/remover.js';
import { Restorer } from '../run/restorer.js';
import { Starter } from '../run/starter.js';
import { conflict, requireRunning, type StopOptions, Stopper } from '../run/stopper.js';
import { Stats } from '../stats/stats.js';
import { listProcesses } from '../stats/top.js';
import type { Volumes } from '../volumes/volumes.js';
import { attachTo } from './attach.js';
import type { Container } from './container.js';
import { type EngineContext, type EngineCounters, emitContainer } from './context.js';
import { inspectContainer, summarise } from './describe.js';
import { pruneCandidates, selectContainers } from './list.js';
import { waitFor } from './waiting.js';

/** Docker's container engine on containerd. */
export class Engine implements ContainerEngine {
  readonly #context: EngineContext;
  readonly #creator: Creator;
  readonly #starter: Starter;
  readonly #stopper: Stopper;
  readonly #remover: Remover;
  readonly #connector: Connector;
  readonly #exits: ExitHandler;
  readonly #execs: ExecManager;
  readonly #restorer: Restorer;
  readonly #stats: Stats;
  #unsubscribe: (() => void) | undefined;
  #closed = false;

  constructor(context: EngineContext, options: { defaultLog: LogConfig }) {
    this.#context = context;
    this.#creator = new Creator(context, options);
    this.#execs = new ExecManager(context);
    const health = new HealthChecks(context, this.#execs);
    this.#starter = new Starter(context, {
      onStarted: (container) => health.watch(container, true),
    });
    this.#stopper = new Stopper(context);
    this.#remover = new Remover(context, this.#stopper);
    this.#connector = new Connector(context);
    this.#exits = new ExitHandler(context, {
      restart: (container) => this.#startQueued(container),
      autoRemove: (container) => this.#autoRemove(container),
      endExecs: (container) => this.#execs.endAll(container),
    });
    this.#restorer = new Restorer({
      context,
      starter: this.#starter,
      exits: this.#exits,
      hooks: {
        onAdopted: (container) => health.watch(container, false),
        restart: (container) => this.#startLogged(container),
        autoRemove: (container) => void this.#autoRemove(container),
      },
    });
    this.#stats = new Stats(context);
  }

  /** Volumes, which share the engine's life. */
  get volumes(): Volumes {
    return this.#context.volumes;
  }

  /**
   * To be called once, before anything else: takes over what runs, notes what ended, clears what
   * was half made. Resolves when containerd was reached and everything agrees.
   */
  async restore(): Promise<void> {
    this.#restorer.load();
    let restored = false;
    await new Promise<void>((resolve, reject) => {
      this.#unsubscribe = this.#context.containerd.events.subscribe({
        onEvent: (event) => this.#onEvent(event),
        onResync: () => {
          if (restored) return this.#resync();
          restored = true;
          this.#restorer.restore().then(resolve, reject);
        },
      });
    });
  }

  /** Lets go of everything; containers go on running and are taken over by the next `restore`. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#unsubscribe?.();
    this.#execs.release();
    const logs: Promise<void>[] = [];
    for (const container of this.#context.containers.all()) {
      container.cancelRestart?.();
      container.monitor?.stop();
      await container.queue.idle();
      container.streams?.release();
      logs.push(container.log.release());
    }
    await Promise.all(logs);
  }

  get counters(): Readonly<EngineCounters> {
    return this.#context.counters;
  }

  #resync(): void {
    this.#restorer.resync().catch((error) => {
      this.#context.logger.error({ error: errorMessage(error) }, 'resync with containerd failed');
    });
  }

  #onEvent(event: ContainerdEvent): void {
    if (event.kind === 'task-exit') this.#onTaskExit(event);
    if (event.kind === 'task-oom') {
      const container = this.#context.containers.byId(event.containerId);
      if (!container) return;
      container.status.state.OOMKilled = true;
      emitContainer(this.#context, container, 'oom');
    }
  }

  #onTaskExit(event: ContainerdEvent & { kind: 'task-exit' }): void {
    const container = this.#context.containers.byId(event.containerId);
    if (!container) return;
    const failed = (error: unknown) => {
      const fields = { id: container.id, error: errorMessage(error) };
      this.#context.logger.error(fields, 'exit not handled');
    };
    if (event.execId !== '' && event.execId !== event.containerId) {
      this.#execs.handleExit(event.execId, event.exitStatus).catch(failed);
      return;
    }
    const exitedAtMs = Number(event.exitedNs / 1000n) / 1000;
    const exit = { exitCode: event.exitStatus, exitedAtMs };
    container.queue.run(() => this.#exits.handle(container, exit, event.pid)).catch(failed);
  }

  #find(reference: string): Container {
    return this.#context.containers.find(reference);
  }

  #startQueued(container: Container): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return container.queue.run(() => this.#starter.start(container));
  }

  #startLogged(container: Container): void {
    this.#startQueued(container).catch((error) => {
      const fields = { id: container.id, error: errorMessage(error) };
      this.#context.logger.warn(fields, 'container not started with the daemon');
    });
  }

  async #autoRemove(container: Container): Promise<void> {
    try {
      if (!container.removing)
        await this.#remover.remove(container, { force: true, volumes: true });
    } catch (error) {
      const fields = { id: container.id, error: errorMessage(error) };
      this.#context.logger.warn(fields, 'container not removed after its end');
    }
  }

  async create(
    name: string | undefined,
    request: CreateRequest,
    task?: TaskExtras,
  ): Promise<{ Id: string; Warnings: string[] }> {
    const { Image = '', Platform } = request;
    if (Platform) checkPlatform(Image, Platform, await this.#context.images.resolve(Image));
    const container = await this.#creator.create(name, request, task);
    const warnings = creationWarnings(container.record.hostConfig, this.#context.host);
    return { Id: container.id, Warnings: warnings };
  }

  async start(reference: string): Promise<void> {
    const container = this.#find(reference);
    container.cancelRestart?.();
    container.cancelRestart = undefined;
    try {
      await this.#startQueued(container);
    } catch (error) {
      if (container.record.hostConfig.AutoRemove) await this.#autoRemove(container);
      throw error;
    }
  }

  stop(reference: string, options: StopOptions = {}): Promise<boolean> {
    return this.#stopper.stop(this.#find(reference), options);
  }

  async restart(reference: string, options: StopOptions = {}): Promise<void> {
    const container = this.#find(reference);
    const { hostConfig } = container.record;
    const autoRemove = hostConfig.AutoRemove;
    hostConfig.AutoRemove = false; // its end is not its last
    try {
      await this.#stopper.stop(container, options);
    } finally {
      hostConfig.AutoRemove = autoRemove;
    }
    await this.#startQueued(container);
    emitContainer(this.#context, container, 'restart');
  }

  async kill(reference: string, signal?: string): Promise<void> {
    await this.#stopper.kill(this.#find(reference), reference, signal || undefined);
  }

  async connect(reference: string, network: string, config: EndpointConfig): Promise<void> {
    await this.#connector.connect(this.#find(reference), network, config);
  }

  async disconnect(reference: string, network: string): Promise<void> {
    await this.#connector.disconnect(this.#find(reference), network);
  }

  pause(reference: string): Promise<void> {
    return this.#stopper.pause(this.#find(reference));
  }

  unpause(reference: string): Promise<void> {
    return this.#stopper.unpause(this.#find(reference));
  }

  async rename(reference: string, name: string): Promise<void> {
    const container = this.#find(reference);
    const { containers, records } = this.#context;
    const wanted = name.replace(/^\//, '');
    const old = container.name;
    if (wanted === '') {
      throw new RpcError(Code.INVALID_ARGUMENT, 'Neither old nor new names may be empty');
    }
    if (wanted === old) {
      throw new RpcError(
        Code.INVALID_ARGUMENT,
        'Renaming a container with the same name as its current name',
      );
    }
    checkName(wanted);
    containers.reserve(wanted, container.id);
    container.name = wanted;
    try {
      await records.writeRecord(container.record);
    } catch (error) {
      container.name = old;
      containers.release(wanted, container.id);
      throw error;
    }
    containers.release(old, container.id);
    await this.#connector.rename(container);
    emitContainer(this.#context, container, 'rename', { oldName: `/${old}` });
  }

  async remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    await this.#remover.remove(this.#find(reference), options);
  }

  async wait(
    reference: string,
    condition: WaitCondition,
    signal?: AbortSignal,
  ): Promise<WaitResult> {
    return waitFor(this.#find(reference), condition, signal);
  }

  async inspect(reference: string, options?: { size?: boolean }): Promise<ContainerInspect> {
    const container = this.#find(reference);
    const inspect = inspectContainer(this.#context, container);
    if (!options?.size) return inspect;
    return { ...inspect, ...(await this.#sizes(container)) };
  }

  /** A container that is just being removed has lost its layer already: what is left takes no room. */
  async #sizes(container: Container): Promise<{ SizeRw: number; SizeRootFs: number }> {
    const { snapshots } = this.#context.containerd;
    const sizes = { SizeRw: 0, SizeRootFs: 0 };
    try {
      for (let name = container.id; name !== ''; name = (await snapshots.stat(name)).parent) {
        const { bytes } = await snapshots.usage(name);
        if (name === container.id) sizes.SizeRw = bytes;
        sizes.SizeRootFs += bytes;
      }
    } catch (error) {
      if (!(error instanceof RpcError && error.code === Code.NOT_FOUND)) throw error;
    }
    return sizes;
  }

  async list(options: ListOptions): Promise<ContainerSummary[]> {
    const imageIds = new Map<string, string | undefined>();
    for (const reference of options.filters['ancestor'] ?? []) {
      const image = await this.#context.images.resolve(reference).catch(() => undefined);
      imageIds.set(reference, image?.id);
    }
    const containers = selectContainers({
      containers: this.#context.containers.all(),
      options,
      find: (reference) => this.#find(reference),
      imageIds,
    });
    const nowMs = this.#context.clock.now();
    const rows = containers.map((container) => summarise(container, nowMs));
    if (!options.size) return rows;
    return Promise.all(
      rows.map(async (row, index) => ({
        ...row,
        ...(await this.#sizes(containers[index] as Container)),
      })),
    );
  }

  async prune(filters: Filters): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }> {
    const { containers, clock, events } = this.#context;
    const report = { ContainersDeleted: [] as string[], SpaceReclaimed: 0 };
    for (const container of pruneCandidates(containers.all(), filters, clock.now())) {
      const size = await this.#context.containerd.snapshots
        .usage(container.id)
        .catch(() => ({ bytes: 0 }));
      await this.#remover.remove(container, { force: false, volumes: false });
      report.ContainersDeleted.push(container.id);
      report.SpaceReclaimed += size.bytes;
    }
    events.emit('container', 'prune', '', { reclaimed: String(report.SpaceReclaimed) });
    return report;
  }

  async resize(reference: string, size: { height: number; width: number }): Promise<void> {
    const container = this.#find(reference);
    requireRunning(container);
    await this.#context.containerd.tasks.resizePty(container.id, size);
    const text = { height: String(size.height), width: String(size.width) };
    emitContainer(this.#context, container, 'resize', text);
  }

  logs(reference: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogEntry> {
    const container = this.#find(reference);
    if (!container.log.policy.keeps) {
      throw new RpcError(Code.UNIMPLEMENTED, 'configured logging driver does not support reading');
    }
    return readLog(container.log, options, signal);
  }

  async attach(reference: string, options: AttachOptions): Promise<StreamSession> {
    const container = this.#find(reference);
    const session = attachTo(container, options, (it) => this.#starter.streamsOf(it));
    emitContainer(this.#context, container, 'attach');
    return session;
  }

  async top(
    reference: string,
    psArguments: string,
  ): Promise<{ Titles: string[]; Processes: string[][] }> {
    const container = this.#find(reference);
    requireRunning(container);
    const pids = await this.#context.containerd.tasks.pids(container.id);
    emitContainer(this.#context, container, 'top');
    return listProcesses(this.#context.processes, pids, psArguments);
  }

  async stats(reference: string): Promise<Record<string, unknown>> {
    return this.#stats.sample(this.#find(reference));
  }

  async execCreate(reference: string, request: ExecRequest): Promise<{ Id: string }> {
    return { Id: this.#execs.create(this.#find(reference), request).id };
  }

  execStart(
    execId: string,
    options: { Detach: boolean; Tty: boolean },
  ): Promise<StreamSession | undefined> {
    return this.#execs.start(execId, options.Detach);
  }

  async execResize(execId: string, size: { height: number; width: number }): Promise<void> {
    const exec = this.#execs.find(execId);
    if (!exec.running) throw conflict(`Exec command ${execId} is not running`);
    await this.#context.containerd.tasks.resizePty(exec.container.id, size, execId);
  }

  async execInspect(execId: string): Promise<ExecInspect> {
    return this.#execs.inspect(execId);
  }

  onEvent(listener: (event: EngineEvent) => void): () => void {
    return this.#context.events.on(listener);
  }
}
