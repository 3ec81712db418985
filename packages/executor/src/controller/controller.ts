import { create } from '@bufbuild/protobuf';
import {
  type OperationContext,
  type TaskController,
  TaskExitError,
  type TaskLogEntry,
  type TaskLogOptions,
} from '@skep/agent';
import type { ContainerInspect } from '@skep/containers';
import { errorMessage, type Logger, RpcError } from '@skep/platform';
import { durationMs, type TaskObject, taskName } from '@skep/wire';
import {
  type ContainerSpec,
  type ContainerStatus,
  ContainerStatusSchema,
  type PortStatus,
} from '@skep/wire/swarmkit';
import { STOP_GRACE_MS_DEFAULT } from '../limits.js';
import { portStatus } from '../request/ports.js';
import { unlessAborted } from '../waiting.js';
import { drainMaxMs, isReachable, stopTimeoutSeconds } from './draining.js';
import { engineWork, isNotFound, unlessMissing } from './engine-errors.js';
import { isHealthChecked, waitForHealth } from './health.js';
import { lastLine } from './last-line.js';
import { listenWaitMs, publishedTargets } from './listening.js';
import { taskLogs } from './logs.js';
import { checkBindSources, prepareContainer } from './prepare.js';
import type { ControllerRoom } from './room.js';

export interface ContainerControllerOptions {
  room: ControllerRoom;
  task: TaskObject;
  /** With its templates worked out. */
  spec: ContainerSpec;
}

const UNHEALTHY = 'dockerexec: unhealthy container';

/** Runs a task as one container, which it finds again by name whatever happened in between. */
export class ContainerController implements TaskController {
  readonly #room: ControllerRoom;
  readonly #logger: Logger;
  readonly #name: string;
  readonly #spec: ContainerSpec;
  #task: TaskObject;
  #seen: ContainerInspect | undefined;
  #remark: string | undefined;
  /** What it printed last, once it has failed. */
  #lastLine = '';

  constructor({ room, spec, task }: ContainerControllerOptions) {
    this.#room = room;
    this.#task = task;
    this.#spec = spec;
    this.#name = taskName(task);
    this.#logger = room.logger.child({ taskId: task.id });
  }

  async update(task: TaskObject): Promise<void> {
    this.#task = task;
  }

  async prepare(context: OperationContext): Promise<void> {
    if (await unlessMissing(() => this.#look())) return; // made before a restart
    this.#remark = await prepareContainer(this.#room, this.#task, this.#spec, context);
    await engineWork(() => this.#look());
  }

  async start(context: OperationContext): Promise<void> {
    const found = await engineWork(() => this.#look());
    if (found.State.Status === 'created') await this.#startContainer(context);
    const started = await engineWork(() => this.#look());
    if (isHealthChecked(started)) {
      if (!(await this.#becomesHealthy(started, context))) return;
    } else if (started.State.Running) await this.#listens(started, context);
    if (this.#seen?.State.Running) await this.#activate();
  }

  async wait(context: OperationContext): Promise<void> {
    const { engine } = this.#room;
    const found = await engineWork(() => this.#look());
    if (found.State.Running) await this.#activate(); // again, after a restart of this process
    const ended = new AbortController();
    const unhealthy = isHealthChecked(found)
      ? this.#stopWhenUnhealthy(found.Id, AbortSignal.any([context.signal, ended.signal]))
      : Promise.resolve(false);
    try {
      const result = await engineWork(() => engine.wait(found.Id, 'not-running', context.signal));
      ended.abort();
      const reason = (await unhealthy) ? UNHEALTHY : result.Error?.Message || undefined;
      await this.#ended();
      if (reason === UNHEALTHY || result.StatusCode !== 0) {
        throw await this.#failed(result.StatusCode, context.signal, reason);
      }
    } finally {
      ended.abort();
    }
  }

  async shutdown({ signal }: OperationContext): Promise<void> {
    const found = await unlessMissing(() => this.#look());
    const drainedMs = found?.State.Running ? await this.#letGo(found.Id, signal) : 0;
    // Let go of, the engine still finishes it; the next start of this process does not wait for it twice.
    await unlessMissing(() => unlessAborted(signal, this.#stopGracefully(drainedMs)));
    await unlessMissing(() => this.#look());
  }

  async terminate(_context: OperationContext): Promise<void> {
    this.#withdrawSoon();
    await unlessMissing(() => this.#room.engine.stop(this.#name, { timeoutSeconds: 0 }));
  }

  async remove({ busy }: OperationContext): Promise<void> {
    this.#withdrawSoon();
    const { engine } = this.#room;
    await unlessMissing(() =>
      busy(() => engine.remove(this.#name, { force: true, volumes: true })),
    );
  }

  async close(): Promise<void> {}

  containerStatus(): ContainerStatus | undefined {
    if (!this.#seen) return undefined;
    const { Id, State } = this.#seen;
    return create(ContainerStatusSchema, {
      containerId: Id,
      pid: State.Pid,
      exitCode: State.ExitCode,
      lastLine: this.#lastLine,
    });
  }

  remark(): string | undefined {
    return this.#remark;
  }

  portStatus(): PortStatus | undefined {
    const seen = this.#seen;
    return seen?.State.Running ? portStatus(seen.NetworkSettings.Ports) : undefined;
  }

  warning(): string {
    return this.#room.traffic.obstructions(this.#task).join('; ');
  }

  logs(options: TaskLogOptions, signal: AbortSignal): AsyncIterable<TaskLogEntry> {
    return taskLogs(this.#room, this.#name, options, signal);
  }

  /** What the container is now, kept for the status. */
  async #look(): Promise<ContainerInspect> {
    this.#seen = await this.#room.engine.inspect(this.#name);
    return this.#seen;
  }

  async #startContainer(context: OperationContext): Promise<void> {
    await checkBindSources(this.#room, this.#spec.mounts);
    try {
      await context.busy(() => engineWork(() => this.#room.engine.start(this.#name)));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      const message = `starting container failed: ${errorMessage(error)}`;
      throw new RpcError(error.code, message, { cause: error });
    }
  }

  /** False when the container ended well before it was healthy: `wait` will say how. */
  async #becomesHealthy(found: ContainerInspect, { signal }: OperationContext): Promise<boolean> {
    const { engine, events } = this.#room;
    const watch = { engine, events, containerId: found.Id, signal };
    const health = await engineWork(() => waitForHealth(watch, ['healthy', 'unhealthy', 'ended']));
    if (health === 'unhealthy') {
      await unlessMissing(() => this.#stopGracefully());
    }
    const { State } = await engineWork(() => this.#look());
    if (health === 'unhealthy') throw await this.#failed(State.ExitCode, signal, UNHEALTHY);
    if (health === 'ended' && State.ExitCode !== 0)
      throw await this.#failed(State.ExitCode, signal);
    return health === 'healthy';
  }

  /**
   * Holds a task up whose program is not ready for those who come by its published ports, for as long
   * as that can be expected to change. One that ended is not waited for: `wait` will say how.
   */
  async #listens({ Id, State }: ContainerInspect, { signal }: OperationContext): Promise<void> {
    const ports = publishedTargets(this.#task);
    if (ports.length === 0) return;
    const { clock, engine, events, traffic } = this.#room;
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const watch = { engine, events, containerId: Id, signal: either };
    const maxMs = listenWaitMs(State.StartedAt, clock.now());
    try {
      const isReady = await Promise.race([
        traffic.listening(Id, ports, maxMs, either),
        engineWork(() => waitForHealth(watch, ['ended'])),
      ]);
      if (isReady === false) {
        this.#logger.info({ ports }, 'the task does not listen on all of its published ports yet');
      }
    } finally {
      over.abort();
    }
    await engineWork(() => this.#look());
  }

  /** True when it was stopped for that; false when it ended, or `signal` aborted. */
  async #stopWhenUnhealthy(containerId: string, signal: AbortSignal): Promise<boolean> {
    const { engine, events } = this.#room;
    try {
      const watch = { engine, events, containerId, signal };
      if ((await waitForHealth(watch, ['unhealthy', 'ended'])) !== 'unhealthy') return false;
      await this.#withdraw();
      await this.#stopGracefully();
      return true;
    } catch (error) {
      if (!signal.aborted && !isNotFound(error)) {
        this.#logger.warn({ error: errorMessage(error) }, 'could not stop an unhealthy container');
      }
      return false;
    }
  }

  #stopGracefully(drainedMs = 0): Promise<boolean> {
    const timeoutSeconds = stopTimeoutSeconds(this.#graceMs, drainedMs);
    return this.#room.engine.stop(this.#name, { timeoutSeconds });
  }

  get #graceMs(): number {
    return durationMs(this.#spec.stopGracePeriod, STOP_GRACE_MS_DEFAULT);
  }

  /** The error of a container that failed; with its status goes what it printed last. */
  async #failed(exitCode: number, signal: AbortSignal, reason?: string): Promise<TaskExitError> {
    this.#lastLine = await lastLine(this.#room, this.#name, signal);
    return new TaskExitError(exitCode, reason);
  }

  /** The container ended by itself: nobody is to be sent to it any more. */
  async #ended(): Promise<void> {
    this.#withdrawSoon();
    await unlessMissing(() => this.#look());
  }

  async #activate(): Promise<void> {
    if (!isReachable(this.#task)) return;
    await engineWork(() => this.#room.traffic.activate(this.#task));
  }

  /** Nobody new comes, and those who are there may finish. Resolves how long they took. */
  async #letGo(containerId: string, signal: AbortSignal): Promise<number> {
    if (!isReachable(this.#task)) return 0;
    await unlessAborted(signal, this.#withdraw());
    const { clock, traffic } = this.#room;
    const startMs = clock.monotonic();
    const maxMs = drainMaxMs(this.#task.serviceAnnotations.labels, this.#graceMs);
    const left = await traffic.drained(containerId, maxMs, signal);
    if (left > 0) this.#logger.info({ left, maxMs }, 'the task stops with connections open');
    return clock.monotonic() - startMs;
  }

  /** For a container that is stopped or ends without being asked: its end waits for nobody. */
  #withdrawSoon(): void {
    void this.#withdraw();
  }

  async #withdraw(): Promise<void> {
    if (isReachable(this.#task)) await this.#room.traffic.withdraw(this.#task.id);
  }
}
