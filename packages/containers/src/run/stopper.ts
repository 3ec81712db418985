import { Code, errorMessage, RpcError } from '@skep/platform';
import type { Container } from '../engine/container.js';
import { type EngineContext, emitContainer, saveStatus } from '../engine/context.js';
import { KILL_WAIT_MS, STOP_TIMEOUT_MS_DEFAULT } from '../limits.js';
import { signalNumber } from '../linux/signals.js';
import { cancelRestart } from './exit-handler.js';

const SIGKILL = 9;

export interface StopOptions {
  /** Negative: waits without end. */
  timeoutSeconds?: number | undefined;
  signal?: string | undefined;
}

/** Ends containers: stop, kill, pause. */
export class Stopper {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** True when it ran. Resolves after the exit was handled. */
  async stop(container: Container, options: StopOptions): Promise<boolean> {
    await container.queue.idle();
    if (!container.status.state.Running) return false;
    this.#noteStopped(container);
    if (cancelRestart(this.#context, container)) return true;
    const signal = signalNumber(options.signal ?? container.record.config.StopSignal ?? 'SIGTERM');
    const timeoutMs = this.#timeoutMs(container, options);
    const exited = new Promise<void>((resolve) => container.onExit(() => resolve()));
    await this.#signal(container, signal);
    if (!(await this.#within(exited, timeoutMs))) {
      this.#context.logger.info({ id: container.id }, 'container did not stop in time: killing it');
      await this.#killHard(container, exited);
    }
    emitContainer(this.#context, container, 'stop');
    return true;
  }

  #timeoutMs(container: Container, options: StopOptions): number {
    const seconds = options.timeoutSeconds ?? container.record.config.StopTimeout;
    return seconds === undefined ? STOP_TIMEOUT_MS_DEFAULT : seconds * 1000;
  }

  async #killHard(container: Container, exited: Promise<void>): Promise<void> {
    await this.#signal(container, SIGKILL);
    if (await this.#within(exited, KILL_WAIT_MS)) return;
    throw new RpcError(
      Code.INTERNAL,
      `cannot stop container: ${container.id}: ` +
        'tried to kill container, but did not receive an exit event',
    );
  }

  /** Sends a signal; SIGKILL is waited for. */
  async kill(container: Container, reference: string, signal = 'SIGKILL'): Promise<void> {
    const number = signalNumber(signal);
    const { state } = container.status;
    if (!container.running) {
      const why = `Container ${container.id} is not running`;
      throw conflict(`Cannot kill container: ${reference}: ${why}`);
    }
    const ends = number === SIGKILL || number === this.#stopSignal(container);
    if (ends) this.#noteStopped(container);
    const exited = new Promise<void>((resolve) => container.onExit(() => resolve()));
    if (number === SIGKILL) return this.#killHard(container, exited);
    await this.#signal(container, number, state.Paused);
  }

  #stopSignal(container: Container): number {
    return signalNumber(container.record.config.StopSignal ?? 'SIGTERM');
  }

  #noteStopped(container: Container): void {
    container.status.manuallyStopped = true;
    saveStatus(this.#context, container);
  }

  /** A frozen process cannot take a signal: it is thawed unless `stayPaused`. */
  async #signal(container: Container, signal: number, stayPaused = false): Promise<void> {
    const { tasks } = this.#context.containerd;
    emitContainer(this.#context, container, 'kill', { signal: String(signal) });
    try {
      await tasks.kill({ containerId: container.id, signal });
      if (container.status.state.Paused && !stayPaused) await this.#thaw(container);
    } catch (error) {
      if (gone(error)) return; // its exit is on the way
      throw error;
    }
  }

  async #within(exited: Promise<void>, timeoutMs: number): Promise<boolean> {
    if (timeoutMs < 0) return exited.then(() => true);
    const abort = new AbortController();
    const timeout = this.#context.clock.sleep(timeoutMs, abort.signal).then(
      () => false,
      () => false,
    );
    const inTime = await Promise.race([exited.then(() => true), timeout]);
    abort.abort();
    return inTime;
  }

  async pause(container: Container): Promise<void> {
    await container.queue.run(async () => {
      requireRunning(container);
      const { state } = container.status;
      if (state.Paused) throw conflict(`Container ${container.id} is already paused`);
      await this.#context.containerd.tasks.pause(container.id);
      Object.assign(state, { Paused: true, Status: 'paused' });
      saveStatus(this.#context, container);
      emitContainer(this.#context, container, 'pause');
    });
  }

  async unpause(container: Container): Promise<void> {
    await container.queue.run(async () => {
      if (!container.status.state.Paused) throw conflict(`Container ${container.id} is not paused`);
      await this.#thaw(container);
      emitContainer(this.#context, container, 'unpause');
    });
  }

  async #thaw(container: Container): Promise<void> {
    await this.#context.containerd.tasks.resume(container.id);
    Object.assign(container.status.state, { Paused: false, Status: 'running' });
    saveStatus(this.#context, container);
  }
}

/** Refuses what needs a running process, in Docker's words. */
export function requireRunning(container: Container): void {
  const { state } = container.status;
  if (state.Restarting) {
    throw conflict(`Container ${container.id} is restarting, wait until the container is running`);
  }
  if (!container.running) throw conflict(`Container ${container.id} is not running`);
}

export function conflict(message: string): RpcError {
  return new RpcError(Code.ALREADY_EXISTS, message);
}

/** Whether there is nothing left to signal: at the end of a process its shim ends, mid-answer too. */
function gone(error: unknown): boolean {
  if (!(error instanceof RpcError)) return false;
  if (error.code === Code.NOT_FOUND) return true;
  return /process already finished|ttrpc: closed/.test(errorMessage(error));
}
