import type { Change, Commit } from '@skep/store';
import type { ControlLoop } from '../contract.js';
import { type LoopOptions, Planner } from '../loop/planner.js';
import { isGlobal } from './mode.js';
import { planService } from './plan.js';

/**
 * Keeps every service at the tasks its spec asks for: slots of replicated services, nodes of global
 * ones, none of removed ones. What becomes of a task that ends is the restart supervisor's;
 * replacing tasks of an old spec is the updater's.
 */
export class Orchestrator implements ControlLoop {
  readonly #options: LoopOptions;
  readonly #planner: Planner;
  #unsubscribe = () => {};

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#planner = new Planner({
      ...options,
      name: 'orchestrator',
      decide: (view, serviceIds, nowMs) => {
        const context = { nowMs, random: options.random };
        return { steps: serviceIds.flatMap((id) => planService(view, id, context)) };
      },
    });
  }

  start(): void {
    const { store } = this.#options;
    this.#unsubscribe = store.subscribe((commit) => this.#onCommit(commit));
    for (const service of store.view.all('service')) this.#planner.mark(service.id);
    // Tasks whose service is gone, which an earlier leader may have left.
    for (const task of store.view.all('task')) {
      if (task.serviceId) this.#planner.mark(task.serviceId);
    }
    this.#planner.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#planner.stop();
  }

  #onCommit(commit: Commit): void {
    for (const change of commit.changes) {
      if (change.table === 'service') this.#planner.mark(change.object.id);
      else if (change.table === 'task') this.#onTask(change);
      else if (change.table === 'node') this.#onNode();
    }
  }

  /**
   * Slots change hands when a task is removed or no longer wanted, never by what a node reports.
   */
  #onTask({ kind, object: task, before }: Extract<Change, { table: 'task' }>): void {
    const given = kind === 'remove' || (before && before.desiredState !== task.desiredState);
    if (task.serviceId && given) this.#planner.mark(task.serviceId);
  }

  /** Any word about a node may open or close it to global services. */
  #onNode(): void {
    for (const service of this.#options.store.view.all('service')) {
      if (isGlobal(service)) this.#planner.mark(service.id);
    }
  }
}
