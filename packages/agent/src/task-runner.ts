import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { TaskObject } from '@skep/wire';
import type { TaskState, TaskStatus } from '@skep/wire/swarmkit';
import type { OperationContext, TaskController } from './executor.js';
import type { AgentLimits } from './limits.js';
import { type ActionOutcome, afterAction, nextStep, type TaskAction } from './machine.js';
import type { Slots } from './slots.js';
import { TemporaryError } from './task-errors.js';
import { statusAfter } from './task-status.js';

export interface TaskRunnerOptions {
  task: TaskObject;
  controller: TaskController;
  clock: Clock;
  logger: Logger;
  limits: AgentLimits;
  slots: Slots;
  onStatus(task: TaskObject, status: TaskStatus): void;
}

/** Made once: the stack that each error would keep says nothing, and takes longer than the cancelling. */
const WANTED_OTHERWISE = new Error('the task is wanted in another state');
const LET_GO = new Error('the task is let go');

interface Running {
  action: TaskAction;
  abort: AbortController;
}

/**
 * Walks one task through its states: one operation of its controller at a time. A new desired state that
 * asks for something else cancels the running operation, waits until it has really ended, then goes on.
 */
export class TaskRunner {
  readonly #options: TaskRunnerOptions;
  #task: TaskObject;
  #stopped = false;
  #updated = false;
  #running: Running | undefined;
  #wake: (() => void) | undefined;
  #loop: Promise<void> | undefined;

  constructor(options: TaskRunnerOptions) {
    this.#options = options;
    this.#task = options.task;
  }

  /** The assignment, with this node's own status. */
  get task(): TaskObject {
    return this.#task;
  }

  get controller(): TaskController {
    return this.#options.controller;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Takes over a changed assignment, whose status must be this runner's own. */
  update(task: TaskObject): void {
    this.#task = task;
    this.#updated = true;
    const running = this.#running;
    if (running) {
      const step = nextStep(task.status.state, task.desiredState);
      if (step.kind !== 'act' || step.action !== running.action) {
        running.abort.abort(WANTED_OTHERWISE);
      }
    }
    this.#wake?.();
  }

  /** Stops walking; the container is left as it is. Resolves when no operation runs any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#running?.abort.abort(LET_GO);
    this.#wake?.();
    await this.#loop;
  }

  /** Stops walking and removes the container. Gives up after some attempts: the next start cleans up. */
  async remove(signal: AbortSignal): Promise<void> {
    await this.stop();
    const { clock, controller, limits, logger } = this.#options;
    for (let attempt = 1; attempt <= limits.taskRemoveAttemptsMax; attempt++) {
      try {
        await controller.remove(this.#context(signal));
        break;
      } catch (error) {
        const fields = { taskId: this.#task.id, attempt, error: errorMessage(error) };
        logger.warn(fields, 'could not remove the container of a task');
        if (signal.aborted) break;
        await clock.sleep(limits.taskRetryDelayMs, signal).catch(() => {});
      }
    }
    await this.close();
  }

  /** Stops walking and lets go of the controller. */
  async close(): Promise<void> {
    await this.stop();
    await this.controller.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#takeUpdate();
      const step = nextStep(this.#task.status.state, this.#task.desiredState);
      if (step.kind === 'rest') await this.#nextChange();
      else if (step.kind === 'move') this.#advance(step.transition);
      else await this.#act(step.action);
    }
  }

  async #takeUpdate(): Promise<void> {
    if (!this.#updated) return;
    this.#updated = false;
    try {
      await this.controller.update(this.#task);
    } catch (error) {
      const fields = { taskId: this.#task.id, error: errorMessage(error) };
      this.#options.logger.warn(fields, 'could not update a task');
    }
  }

  /** Resolves when there is an update or the end, also one that came just before. */
  #nextChange(): Promise<void> {
    if (this.#updated || this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #act(action: TaskAction): Promise<void> {
    const running = { action, abort: new AbortController() };
    this.#running = running;
    const outcome = await this.#perform(action, running.abort.signal);
    this.#running = undefined;
    // A cancelled operation that succeeded all the same has moved the task; one that failed says nothing.
    if (running.abort.signal.aborted && !outcome.ok) return;
    const transition = afterAction(this.#task.status.state, action, outcome);
    if (transition) this.#advance(transition);
    else await this.#pause();
  }

  async #perform(action: TaskAction, signal: AbortSignal): Promise<ActionOutcome> {
    try {
      await this.controller[action](this.#context(signal, action === 'start'));
      return { ok: true };
    } catch (error) {
      if (signal.aborted) return { ok: false, temporary: true };
      const fields = { taskId: this.#task.id, action, error: errorMessage(error) };
      if (error instanceof TemporaryError) {
        this.#options.logger.info(fields, 'a task will be tried again');
        return { ok: false, temporary: true };
      }
      this.#options.logger.warn(fields, 'a task failed');
      return { ok: false, temporary: false, error: errorMessage(error) };
    }
  }

  /** Waits before the next attempt, or until something changes. */
  async #pause(): Promise<void> {
    const ended = new AbortController();
    const slept = this.#options.clock.sleep(this.#options.limits.taskRetryDelayMs, ended.signal);
    await Promise.race([slept.catch(() => {}), this.#nextChange()]);
    ended.abort();
    this.#wake = undefined;
  }

  #advance(transition: Parameters<typeof statusAfter>[2]): void {
    const { clock, controller, onStatus } = this.#options;
    const status = statusAfter(clock, this.#task.status, transition, {
      container: controller.containerStatus(),
      ports: controller.portStatus(),
      remark: controller.remark?.(),
      warning: controller.warning?.() ?? '',
    });
    this.#task = { ...this.#task, status };
    onStatus(this.#task, status);
  }

  /** What is prepared starts before others are prepared: of many tasks the first ones serve soon. */
  #context(signal: AbortSignal, comesFirst = false): OperationContext {
    return { signal, busy: (work) => this.#options.slots.run(work, signal, comesFirst) };
  }

  get state(): TaskState {
    return this.#task.status.state;
  }
}
