import { Code, errorMessage, RpcError } from '@skep/platform';
import type { Container } from '../engine/container.js';
import { type EngineContext, emitContainer, saveStatus } from '../engine/context.js';
import { restartDelayMs } from '../engine/restart-policy.js';
import { isoTime } from '../records/record.js';
import { removeInjectedFiles } from './injected-files.js';
import { emitNetworks } from './network-events.js';
import { clearRun } from './starter.js';

export interface ExitHooks {
  restart(container: Container): Promise<void>;
  /** Removes a container that was to go with its process (`--rm`). */
  autoRemove(container: Container): Promise<void>;
  /** Execs of the container are over too. */
  endExecs(container: Container): void;
}

export interface Exit {
  exitCode: number;
  /** Ms since the epoch. */
  exitedAtMs: number;
}

/** What happens after the first process of a container ended. */
export class ExitHandler {
  readonly #context: EngineContext;
  readonly #hooks: ExitHooks;

  constructor(context: EngineContext, hooks: ExitHooks) {
    this.#context = context;
    this.#hooks = hooks;
  }

  /**
   * Clears up after a run and announces its end. To be called in the container's queue; a second
   * call for the same run does nothing. `pid` tells runs apart: an event may come late.
   */
  async handle(container: Container, exit: Exit, pid: number): Promise<void> {
    const { state } = container.status;
    if (!container.running || state.Pid !== pid) return;
    const context = this.#context;
    container.monitor?.stop();
    container.monitor = undefined;
    this.#hooks.endExecs(container);
    await this.#finishTask(container);
    emitNetworks(context, 'disconnect', container);
    await clearRun(context, container);
    if (container.record.task) removeInjectedFiles(context, container.id);
    const startedAtMs = Date.parse(state.StartedAt);
    const ranMs = Math.max(0, exit.exitedAtMs - startedAtMs);
    const delayMs = this.#restartDelay(container, exit.exitCode, ranMs);
    Object.assign(state, {
      Status: delayMs === undefined ? 'exited' : 'restarting',
      Running: delayMs !== undefined,
      Restarting: delayMs !== undefined,
      Paused: false,
      Pid: 0,
      ExitCode: exit.exitCode,
      FinishedAt: isoTime(exit.exitedAtMs),
    });
    saveStatus(context, container);
    emitContainer(context, container, 'die', {
      exitCode: String(exit.exitCode),
      execDuration: String(Math.round(ranMs / 1000)),
    });
    container.announceExit();
    if (delayMs !== undefined) this.#scheduleRestart(container, delayMs);
    else if (container.record.hostConfig.AutoRemove) void this.#hooks.autoRemove(container);
  }

  /** Tells containerd to forget the task while what it printed is taken over to the end. */
  async #finishTask(container: Container): Promise<void> {
    const { tasks, containers } = this.#context.containerd;
    const { id, streams } = container;
    const forget = async () => {
      await tasks.delete(id).catch((error) => this.#logUnlessMissing(id, error));
      await containers.delete(id).catch((error) => this.#logUnlessMissing(id, error));
    };
    await Promise.all([forget(), streams?.drain()]);
    container.streams = undefined;
    container.log.setLive(false);
  }

  #logUnlessMissing(id: string, error: unknown): void {
    if (error instanceof RpcError && error.code === Code.NOT_FOUND) return;
    this.#context.logger.warn({ id, error: errorMessage(error) }, 'ended task not removed');
  }

  #restartDelay(container: Container, exitCode: number, ranMs: number): number | undefined {
    const { hostConfig } = container.record;
    return restartDelayMs({
      policy: hostConfig.RestartPolicy,
      exitCode,
      restartCount: container.status.restartCount,
      manuallyStopped: container.status.manuallyStopped || container.removing,
      ranMs,
      lastDelayMs: container.lastRestartDelayMs,
    });
  }

  #scheduleRestart(container: Container, delayMs: number): void {
    container.lastRestartDelayMs = delayMs;
    container.cancelRestart = this.#context.clock.after(delayMs, () => {
      container.cancelRestart = undefined;
      container.status.restartCount++;
      this.#hooks.restart(container).catch((error) => {
        const fields = { id: container.id, error: errorMessage(error) };
        this.#context.logger.warn(fields, 'container not restarted');
      });
    });
  }
}

/** Ends the waiting for a restart; true when there was one. */
export function cancelRestart(context: EngineContext, container: Container): boolean {
  if (!container.cancelRestart) return false;
  container.cancelRestart();
  container.cancelRestart = undefined;
  Object.assign(container.status.state, { Status: 'exited', Running: false, Restarting: false });
  saveStatus(context, container);
  container.announceExit();
  return true;
}
