import { setMaxListeners } from 'node:events';
import { type Clock, errorMessage, type Logger } from '@skep/platform';
import type { TaskObject } from '@skep/wire';
import { type AssignmentsMessage, TaskState, type TaskStatus } from '@skep/wire/swarmkit';
import { mergeTask, readAssignments } from './assignments.js';
import { DependencyStores } from './dependencies.js';
import type { Executor, TaskController } from './executor.js';
import type { AgentLimits } from './limits.js';
import { rejectedController } from './rejected-controller.js';
import { Slots } from './slots.js';
import type { TaskLog } from './task-log.js';
import { TaskRunner } from './task-runner.js';

export interface WorkerOptions {
  executor: Executor;
  log: TaskLog;
  clock: Clock;
  logger: Logger;
  limits: AgentLimits;
  onStatus(taskId: string, status: TaskStatus): void;
  onTaskAdded(runner: TaskRunner): void;
  onTaskRemoved(taskId: string): void;
}

/** The tasks of this node: what is assigned has a runner, what is no longer assigned goes away. */
export class Worker {
  readonly #options: WorkerOptions;
  readonly #dependencies = new DependencyStores();
  readonly #runners = new Map<string, TaskRunner>();
  /** Tasks being removed, until their container is gone. */
  readonly #removing = new Map<string, Promise<void>>();
  readonly #slots: Slots;
  readonly #stop = new AbortController();
  #applying: Promise<void> = Promise.resolve();

  constructor(options: WorkerOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stop.signal); // each task being removed listens: as many as there are tasks
    this.#slots = new Slots(options.limits.engineOperationsMax);
  }

  /** Every assigned task, in no particular order. */
  get runners(): Iterable<TaskRunner> {
    return this.#runners.values();
  }

  /** Takes up the tasks of the last run, so that they are looked after before there is a manager. */
  async restore(): Promise<void> {
    const tasks = [...this.#options.log.tasks.values()];
    try {
      await this.#options.executor.restore(tasks);
    } catch (error) {
      const fields = { error: errorMessage(error) };
      this.#options.logger.error(fields, 'could not clean up after the last run');
    }
    for (const task of tasks) this.#add(task);
  }

  /** Takes over a message of assignments. Messages are applied one after the other. */
  apply(message: AssignmentsMessage): Promise<void> {
    const applied = this.#applying.then(() => this.#apply(message));
    this.#applying = applied.catch(() => {}); // its caller hears of it; the next message is another matter
    return applied;
  }

  /** Statuses of all tasks, for a manager that may have missed some. */
  statuses(): { taskId: string; status: TaskStatus }[] {
    return [...this.#runners.values()].map(({ task }) => ({
      taskId: task.id,
      status: task.status,
    }));
  }

  /** Lets go of all tasks; their containers go on running. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error('the node stops'));
    await this.#applying;
    const runners = [...this.#runners.values()];
    await Promise.all(runners.map((runner) => runner.close()));
    await Promise.all(this.#removing.values());
  }

  /** Removes all tasks with their containers: the node is no longer part of the swarm. */
  async removeAll(): Promise<void> {
    await this.#applying;
    for (const taskId of [...this.#runners.keys()]) this.#remove(taskId);
    await Promise.all(this.#removing.values());
    await this.#options.log.flushed();
  }

  async #apply(message: AssignmentsMessage): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const set = readAssignments(message);
    this.#dependencies.apply(set);
    for (const task of set.tasks.put) if (stopsJob(task)) await this.#keepStop(task);
    const added = set.tasks.put.filter((task) => !this.#update(task));
    const { log } = this.#options;
    for (const task of added) log.assigned(task);
    // The log knows of a task before its container can exist.
    if (added.length > 0) await log.flushed();
    for (const task of added) await this.#addAfterRemoval(task);
    for (const taskId of set.tasks.removed) this.#remove(taskId);
    if (set.complete) this.#removeAllBut(new Set(set.tasks.put.map((task) => task.id)));
  }

  /**
   * A program that ends well because it was told to must not pass for one that did a job's work, which is
   * all that its exit code says to a node that lost its power meanwhile.
   */
  async #keepStop(received: TaskObject): Promise<void> {
    const runner = this.#runners.get(received.id);
    if (!runner || stopsJob(runner.task)) return;
    const { log } = this.#options;
    log.assigned(mergeTask(runner.task, received));
    await log.synced();
  }

  /** False when the task is new. */
  #update(received: TaskObject): boolean {
    const runner = this.#runners.get(received.id);
    if (!runner) return false;
    const task = mergeTask(runner.task, received);
    this.#options.log.assigned(task);
    runner.update(task);
    return true;
  }

  async #addAfterRemoval(task: TaskObject): Promise<void> {
    await this.#removing.get(task.id);
    if (!this.#stop.signal.aborted) this.#add(task);
  }

  #add(task: TaskObject): void {
    const { clock, limits, log, logger } = this.#options;
    const runner = new TaskRunner({
      task,
      controller: this.#controller(task),
      clock,
      logger,
      limits,
      slots: this.#slots,
      onStatus: (changed, status) => {
        log.status(changed.id, status);
        this.#options.onStatus(changed.id, status);
      },
    });
    this.#runners.set(task.id, runner);
    runner.start();
    this.#options.onTaskAdded(runner);
  }

  #controller(task: TaskObject): TaskController {
    try {
      return this.#options.executor.controller(task, this.#dependencies.forTask(task.id));
    } catch (error) {
      return rejectedController(error);
    }
  }

  #removeAllBut(assigned: ReadonlySet<string>): void {
    for (const taskId of [...this.#runners.keys()]) {
      if (!assigned.has(taskId)) this.#remove(taskId);
    }
  }

  /** Ends in the background: a slow removal does not hold up other assignments. */
  #remove(taskId: string): void {
    const runner = this.#runners.get(taskId);
    if (!runner) return;
    this.#runners.delete(taskId);
    this.#options.log.removed(taskId);
    this.#options.onTaskRemoved(taskId);
    const removing = runner
      .remove(this.#stop.signal)
      .finally(() => void this.#removing.delete(taskId));
    this.#removing.set(taskId, removing);
  }
}

/** Whether a job's task is to end before its time. */
function stopsJob({ desiredState, jobIteration }: TaskObject): boolean {
  return jobIteration !== undefined && desiredState > TaskState.COMPLETE;
}
