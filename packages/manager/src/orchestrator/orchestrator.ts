import type { Random } from '@skep/platform';
import type { Change, ChangeOf, ReadView } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import type { SwarmFlaws } from '../flaws.js';
import { type Decision, type LoopOptions, merged } from '../loop/planner.js';
import { PlanningLoop } from '../loop/planning-loop.js';
import { isLongRunning, isPerNode } from './mode.js';
import { planService } from './plan.js';
import { hasEnded, isLive, slotKey, slotOfKey } from './slot.js';

export interface OrchestratorOptions extends LoopOptions {
  /** Known bugs, for the simulator. */
  flaws?: SwarmFlaws | undefined;
}

/**
 * Keeps every service at the tasks its spec asks for: slots of replicated services, nodes of global
 * ones, what is left to do of jobs, none of removed ones. What becomes of a task that ends is the
 * restart supervisor's; replacing tasks of an old spec is the updater's.
 */
export class Orchestrator extends PlanningLoop {
  readonly #random: Random;
  readonly #flaws: SwarmFlaws | undefined;

  constructor(options: OrchestratorOptions) {
    super('orchestrator', options);
    this.#random = options.random;
    this.#flaws = options.flaws;
  }

  protected decide(view: ReadView, serviceIds: readonly string[], nowMs: number): Decision {
    const context = { nowMs, random: this.#random, flaws: this.#flaws };
    return merged(serviceIds.map((id) => planService(view, id, context)));
  }

  protected markAll(): void {
    const { view } = this.store;
    for (const service of view.all('service')) this.mark(service.id);
    // Tasks whose service is gone, which an earlier leader may have left.
    for (const task of view.all('task')) {
      if (task.serviceId) this.mark(task.serviceId);
    }
  }

  protected onChange(change: Change): void {
    if (change.table === 'service') this.mark(change.object.id);
    else if (change.table === 'task') this.#onTask(change);
    else if (change.table === 'node') this.#onNode();
  }

  /**
   * Slots change hands when a task is removed or no longer wanted, never by what a node reports; but
   * a job's task that ends may make room for the next.
   */
  #onTask({ kind, object: task, before }: ChangeOf<'task'>): void {
    if (!task.serviceId) return;
    const given = kind === 'remove' || (before && before.desiredState !== task.desiredState);
    const ended = task.jobIteration && before && hasEnded(task) && !hasEnded(before);
    if (ended || (given && this.#mayBeFree(task))) this.mark(task.serviceId);
  }

  /** An update gives up every task of a service, but no slot: there is nothing to do about those. */
  #mayBeFree(task: TaskObject): boolean {
    const { view } = this.store;
    const service = view.get('service', task.serviceId);
    if (!service || !isLongRunning(service)) return true;
    return !slotOfKey(view, slotKey(view, task)).some(isLive);
  }

  /** Any word about a node may open or close it to global services. */
  #onNode(): void {
    for (const service of this.store.view.all('service')) {
      if (isPerNode(service)) this.mark(service.id);
    }
  }
}
