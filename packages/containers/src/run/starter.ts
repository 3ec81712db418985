import { rmSync } from 'node:fs';
import { Code, errorMessage, RpcError } from '@skep/platform';
import type { NewTask } from '../containerd/types.js';
import type { TaskEndpoint } from '../contract/config.js';
import type { Container } from '../engine/container.js';
import { type EngineContext, emitContainer, saveStatus } from '../engine/context.js';
import { Gate } from '../engine/operation-queue.js';
import { PARALLEL_STARTS_MAX, STALE_TASK_ATTEMPTS_MAX, STALE_TASK_RETRY_MS } from '../limits.js';
import { logDestination } from '../logs/remote/destination.js';
import { type ContainerRecord, isoTime } from '../records/record.js';
import { hostDevices } from '../spec/host.js';
import type { OciSpec } from '../spec/oci.js';
import { containerSpec } from '../spec/spec.js';
import { resolveUser } from '../spec/user.js';
import { ProcessStreams } from '../stdio/process-streams.js';
import { givenDevices } from './devices.js';
import { unmountImages } from './image-mounts.js';
import { removeInjectedFiles, requireInjectedFiles } from './injected-files.js';
import { mountSources, releaseVolumes } from './mount-sources.js';
import { emitNetworks } from './network-events.js';
import { NETWORK_FILES, writeNetworkFiles } from './network-files.js';
import { joinable, networkNamespacePath, sandboxRequest, sharedNetwork } from './network-mode.js';
import { mountRoot, readAccounts, unmountRoot } from './root-mount.js';
import { translateStartError } from './start-error.js';
import { attachToSwarm } from './swarm-networks.js';

export interface StarterHooks {
  /** The container runs: health probes may begin. */
  onStarted(container: Container): void;
}

/** Brings containers from created or exited to running. */
export class Starter {
  readonly #context: EngineContext;
  readonly #hooks: StarterHooks;
  readonly #gate = new Gate(PARALLEL_STARTS_MAX);

  constructor(context: EngineContext, hooks: StarterHooks) {
    this.#context = context;
    this.#hooks = hooks;
  }

  /**
   * Starts a container that does not run; no error when it does. To be called in the container's
   * queue.
   */
  async start(container: Container): Promise<void> {
    const { state } = container.status;
    if (state.Paused) {
      throw conflict('cannot start a paused container, try unpause instead');
    }
    if (container.running) return;
    if (container.removing || state.Dead) {
      throw conflict('container is marked for removal and cannot be started');
    }
    await this.#start(container);
  }

  async #start(container: Container): Promise<void> {
    const context = this.#context;
    container.status.manuallyStopped = false;
    try {
      // Outside of the gate: a manager that is away, or a file server, must not hold up other containers.
      const endpoints = await attachToSwarm(context, container.record);
      const sources = await mountSources(context, container);
      const launch = () => this.#launch(container, endpoints, sources);
      const { pid, startedAtMs } = await this.#gate.run(launch);
      Object.assign(container.status.state, {
        Status: 'running',
        Running: true,
        Restarting: false,
        OOMKilled: false,
        Pid: pid,
        ExitCode: 0,
        Error: '',
        StartedAt: isoTime(startedAtMs),
      });
      saveStatus(context, container);
      emitNetworks(context, 'connect', container);
      emitContainer(context, container, 'start');
      this.#hooks.onStarted(container);
    } catch (error) {
      await this.#gate.run(() => this.#abandon(container));
      if (container.record.task) removeInjectedFiles(context, container.id);
      const { failure, exitCode } = translateStartError(error, container.record);
      this.#noteFailure(container, exitCode, errorMessage(failure));
      throw failure;
    }
  }

  #noteFailure(container: Container, exitCode: number, message: string): void {
    const { state } = container.status;
    const restarting = state.Restarting;
    Object.assign(state, { Running: false, Restarting: false, Pid: 0, Error: message });
    state.ExitCode = exitCode;
    if (restarting || state.Status !== 'created') state.Status = 'exited';
    if (state.Status === 'exited') state.FinishedAt = isoTime(this.#context.clock.now());
    saveStatus(this.#context, container);
  }

  /**
   * Root, network, spec, streams, process. What it leaves on failure is cleared by `#abandon`.
   */
  async #launch(
    container: Container,
    endpoints: TaskEndpoint[],
    sources: string[],
  ): Promise<{ pid: number; startedAtMs: number }> {
    const context = this.#context;
    const { record } = container;
    requireInjectedFiles(context, record);
    logDestination(container.log.policy, record, context)?.check();
    const rootPath = mountRoot(context, record);
    const network = await this.#setUpNetwork(container, endpoints);
    const sandbox = container.status.sandbox?.state;
    writeNetworkFiles(context, record, network.shared?.status.sandbox?.state ?? sandbox);
    const spec = this.#spec(container, rootPath, sources, network.netnsPath);
    const streams = this.streamsOf(container);
    streams.open();
    container.log.setLive(true);
    // A daemon that finds the process later must know what network it was given.
    saveStatus(context, container);
    const { tasks } = context.containerd;
    await this.#createInContainerd(record, spec);
    await this.#createTask({ containerId: record.id, rootfs: [], ...streams.io });
    // Taken before: a process that ends at once must not end before it began.
    const startedAtMs = context.clock.now();
    const { pid } = await tasks.start(record.id);
    streams.markStarted();
    return { pid, startedAtMs };
  }

  /**
   * A call of a daemon that was killed may have been carried out after this one looked what there is: what
   * stands in the way then is half made, and goes.
   */
  async #createInContainerd(record: ContainerRecord, spec: OciSpec): Promise<void> {
    const { containers } = this.#context.containerd;
    const { id, config } = record;
    const create = () => containers.create({ id, image: config.Image, spec, snapshotKey: id });
    try {
      await create();
    } catch (error) {
      if (!(error instanceof RpcError && error.code === Code.ALREADY_EXISTS)) throw error;
      await removeFromContainerd(this.#context, id);
      await create();
    }
  }

  /**
   * containerd goes on for a moment with what a killed daemon asked of it, and its bundle is in the way
   * until then: what comes of it is removed, and ours tried again.
   */
  async #createTask(task: NewTask): Promise<void> {
    const { containerd, clock } = this.#context;
    for (let attempt = 1; ; attempt++) {
      try {
        await containerd.tasks.create(task);
        return;
      } catch (error) {
        if (!isInTheWay(error) || attempt === STALE_TASK_ATTEMPTS_MAX) throw error;
        await clock.sleep(STALE_TASK_RETRY_MS);
        await removeTask(this.#context, task.containerId);
      }
    }
  }

  async #setUpNetwork(
    container: Container,
    endpoints: TaskEndpoint[],
  ): Promise<{ netnsPath: string; shared: Container | undefined }> {
    const context = this.#context;
    const shared = sharedNetwork(context, container.record);
    if (shared) return { shared, netnsPath: networkNamespacePath(undefined, shared) };
    const request = sandboxRequest(container.record, endpoints);
    const state = await context.networking.setUp(request);
    container.status.sandbox = { request, state };
    return { shared: undefined, netnsPath: state.netnsPath };
  }

  #spec(container: Container, rootPath: string, sources: string[], netnsPath: string): OciSpec {
    const { record } = container;
    const { host, paths } = this.#context;
    const { PidMode, IpcMode, GroupAdd, Privileged } = record.hostConfig;
    const pidOwner = this.#namespaceOwner(PidMode, 'PID');
    const ipcOwner = this.#namespaceOwner(IpcMode, 'IPC');
    const network = Object.entries(NETWORK_FILES).map(([name, destination]) => ({
      source: paths.networkFile(record.id, name),
      destination,
      readOnly: record.hostConfig.ReadonlyRootfs,
    }));
    const injected = (record.task?.files ?? []).map((file) => ({
      source: `${paths.files(record.id)}/${file.index}`,
      destination: file.path,
      readOnly: true,
    }));
    const shmPath = IpcMode === 'host' ? '/dev/shm' : ipcOwner && `/proc/${ipcOwner}/root/dev/shm`;
    return containerSpec({
      record,
      host,
      rootPath,
      netnsPath,
      user: resolveUser(record.config.User, GroupAdd ?? [], readAccounts(rootPath)),
      mountSources: sources,
      files: [...network, ...injected],
      hostDevices: Privileged ? hostDevices() : [],
      givenDevices: givenDevices(record.hostConfig.Devices ?? []),
      ...(pidOwner ? { pidNamespacePath: `/proc/${pidOwner}/ns/pid` } : {}),
      ...(ipcOwner ? { ipcNamespacePath: `/proc/${ipcOwner}/ns/ipc` } : {}),
      ...(shmPath ? { sharedShmPath: shmPath } : {}),
    });
  }

  /** Pid of the container named by a `container:…` mode. */
  #namespaceOwner(mode: string, what: string): number | undefined {
    if (!mode.startsWith('container:')) return undefined;
    return joinable(this.#context, mode.slice('container:'.length), what).status.state.Pid;
  }

  /** The streams of the next run; made early when a client attaches before the start. */
  streamsOf(container: Container): ProcessStreams {
    container.streams ??= this.#makeStreams(container);
    return container.streams;
  }

  #makeStreams(container: Container): ProcessStreams {
    const context = this.#context;
    const { id, record, log } = container;
    return new ProcessStreams({
      directory: context.paths.streams(id),
      stdin: record.config.OpenStdin,
      terminal: record.config.Tty,
      kernel: context.kernel,
      clock: context.clock,
      bufferOf: (stream) => log.inputBuffer(stream),
      onChunk: (stream, chunk) => log.write(stream, chunk),
      onStreamEnd: (stream) => log.end(stream),
      brake: log,
      closeRemoteInput: () => context.containerd.tasks.closeStdin(id),
    });
  }

  /** Clears whatever a failed start got done. */
  async #abandon(container: Container): Promise<void> {
    const context = this.#context;
    const { id } = container;
    await removeFromContainerd(context, id);
    container.streams?.discard();
    container.streams = undefined;
    container.log.setLive(false);
    await clearRun(context, container);
  }
}

/** Whether a task cannot be made because an earlier one of its name is there, or its directory. */
function isInTheWay(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  return error.code === Code.ALREADY_EXISTS || /mkdir \S+: file exists/.test(error.message);
}

/** Removes a container's task, running or not, and its containerd record. */
export async function removeFromContainerd(context: EngineContext, id: string): Promise<void> {
  await removeTask(context, id);
  await context.containerd.containers.delete(id).catch(unlessMissing(context, id));
}

async function removeTask(context: EngineContext, id: string): Promise<void> {
  const { tasks } = context.containerd;
  const ignore = unlessMissing(context, id);
  const task = await tasks.get(id).catch(ignore);
  if (!task) return;
  if (task.status !== 'stopped') {
    // Killed first: asked to delete a process that was made and not started, runc polls for seconds.
    const exited = tasks.wait(id).catch(() => {});
    const killed = await tasks.kill({ containerId: id, signal: 9, all: true }).then(
      () => true,
      (error) => ignore(error),
    );
    if (killed) await exited;
  }
  await tasks.delete(id).catch(ignore);
}

function unlessMissing(context: EngineContext, id: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof RpcError && error.code === Code.NOT_FOUND) return;
    context.logger.debug({ id, error: errorMessage(error) }, 'not removed from containerd');
  };
}

/**
 * Gives back everything of a run that is outside containerd: network, mounts, run-time directory.
 */
export async function clearRun(context: EngineContext, container: Container): Promise<void> {
  const { id } = container;
  unmountRoot(context, id);
  unmountImages(context, id, container.record.mounts);
  await releaseVolumes(context, container);
  if (container.status.sandbox) {
    try {
      await context.networking.tearDown(id);
    } catch (error) {
      context.logger.error({ id, error: errorMessage(error) }, 'network not torn down');
    }
    delete container.status.sandbox;
  }
  if (!container.record.task) context.swarmNetworks.detach(id);
  rmSync(context.paths.streams(id), { recursive: true, force: true });
}

function conflict(message: string): RpcError {
  return new RpcError(Code.ALREADY_EXISTS, message);
}
