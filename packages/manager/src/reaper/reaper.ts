import type { Change, Commit } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import type { ControlLoop } from '../contract.js';
import { type LoopOptions, Planner } from '../loop/planner.js';
import { hasEnded, slotKey } from '../orchestrator/slot.js';
import { planReaping, planUnowned } from './plan.js';

/** Separates keys of tasks without service from slot keys, which begin with a service id. */
const UNOWNED_PREFIX = ':';

/** Deletes tasks: those given up once they have stopped, and history beyond its limit. */
export class TaskReaper implements ControlLoop {
  readonly #options: LoopOptions;
  readonly #planner: Planner;
  #unsubscribe = () => {};

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#planner = new Planner({
      ...options,
      name: 'reaper',
      decide: (view, keys) => ({
        steps: keys.flatMap((key) =>
          key.startsWith(UNOWNED_PREFIX)
            ? planUnowned(view, key.slice(UNOWNED_PREFIX.length))
            : planReaping(view, key),
        ),
      }),
    });
  }

  start(): void {
    this.#unsubscribe = this.#options.store.subscribe((commit) => this.#onCommit(commit));
    this.#markAll();
    this.#planner.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#planner.stop();
  }

  #onCommit(commit: Commit): void {
    for (const change of commit.changes) {
      if (change.table === 'task') this.#onTask(change);
      else if (change.table === 'service') this.#onService(change);
      else if (change.table === 'cluster') this.#onCluster(change);
      else if (change.table === 'node' && change.kind === 'remove') this.#onLost(change.object.id);
    }
  }

  #onTask({ kind, object: task, before }: Extract<Change, { table: 'task' }>): void {
    const ended = hasEnded(task) && before?.status.state !== task.status.state;
    const given = before?.desiredState !== task.desiredState;
    if (kind !== 'remove' && (ended || given)) this.#mark(task);
  }

  /** What an update is judged by may go when it is over; so may history under a smaller limit. */
  #onService({ kind, object: service }: Extract<Change, { table: 'service' }>): void {
    if (kind !== 'update') return;
    for (const task of this.#options.store.view.tasksOfService(service.id)) this.#mark(task);
  }

  #onCluster({ object, before }: Extract<Change, { table: 'cluster' }>): void {
    const limit = object.spec.orchestration.taskHistoryRetentionLimit;
    if (before?.spec.orchestration.taskHistoryRetentionLimit !== limit) this.#markAll();
  }

  #onLost(nodeId: string): void {
    for (const task of this.#options.store.view.tasksOfNode(nodeId)) this.#mark(task);
  }

  #markAll(): void {
    for (const task of this.#options.store.view.all('task')) this.#mark(task);
  }

  #mark(task: TaskObject): void {
    this.#planner.mark(task.serviceId ? slotKey(task) : UNOWNED_PREFIX + task.id);
  }
}
