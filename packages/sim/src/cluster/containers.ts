import type { TaskObject } from '@skep/wire';

type ContainerState = 'created' | 'running' | 'exited';

/** A container that stands for a task. */
export interface Container {
  readonly task: TaskObject;
  state: ContainerState;
  exitCode: number;
}

/** Exit code of what ended with its machine. */
const KILLED_EXIT_CODE = 137;

/**
 * The containers of a machine. They outlive the program that made them, as those of a real engine do, and end with
 * the machine's power.
 */
export class Containers {
  readonly #byTask = new Map<string, Container>();
  readonly #listeners = new Set<() => void>();

  find(taskId: string): Container | undefined {
    return this.#byTask.get(taskId);
  }

  get all(): readonly Container[] {
    return [...this.#byTask.values()];
  }

  /** Ids of the tasks that run, sorted. */
  get running(): string[] {
    const running = this.all.filter(({ state }) => state === 'running');
    return running.map(({ task }) => task.id).sort();
  }

  create(task: TaskObject): void {
    if (!this.#byTask.has(task.id)) {
      this.#byTask.set(task.id, { task, state: 'created', exitCode: 0 });
    }
  }

  /** Starts one that was made and never ran. False when there was nothing to start. */
  start(taskId: string): boolean {
    const container = this.#byTask.get(taskId);
    if (container?.state !== 'created') return false;
    container.state = 'running';
    this.#changed();
    return true;
  }

  exit(taskId: string, exitCode: number): void {
    const container = this.#byTask.get(taskId);
    if (!container || container.state === 'exited') return;
    container.state = 'exited';
    container.exitCode = exitCode;
    this.#changed();
  }

  remove(taskId: string): void {
    this.#byTask.delete(taskId);
    this.#changed();
  }

  losePower(): void {
    for (const { state, task } of this.all) {
      if (state === 'running') this.exit(task.id, KILLED_EXIT_CODE);
    }
  }

  /** Calls `listener` when a container started, ended or went away. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
