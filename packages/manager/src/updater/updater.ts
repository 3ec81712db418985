import type { Random } from '@skep/platform';
import type { Change, ChangeOf, ReadView } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import type { SwarmFlaws } from '../flaws.js';
import type { Decision, LoopOptions } from '../loop/planner.js';
import { PlanningLoop } from '../loop/planning-loop.js';
import { isGlobal } from '../orchestrator/mode.js';
import {
  hasEnded,
  isLive,
  isRefused,
  slotKey,
  slotOfKey,
  statusTimeMs,
} from '../orchestrator/slot.js';
import { isUpdating } from './config.js';
import { planUpdate } from './plan.js';
import { SlotReader } from './slots.js';

const { RUNNING } = TaskState;

export interface UpdaterOptions extends LoopOptions {
  /** Known bugs, for the simulator. */
  flaws?: SwarmFlaws | undefined;
}

/**
 * Replaces tasks of an old spec as the service's update configuration says, watches the new ones,
 * and pauses or rolls back when too many fail. A newer spec is simply what the next look compares
 * with.
 */
export class Updater extends PlanningLoop {
  readonly #random: Random;
  readonly #forgets: boolean;
  /** Services whose update another leader began, where a known bug has this one forget it. */
  readonly #forgotten = new Set<string>();
  /** By service under update: for how long (ms) its tasks that ended had been running. */
  readonly #ranMs = new Map<string, Map<string, number>>();
  /** By service under update. */
  readonly #readers = new Map<string, SlotReader>();

  constructor(options: UpdaterOptions) {
    super('updater', options);
    this.#random = options.random;
    this.#forgets = options.flaws?.has('update-forgotten') ?? false;
  }

  override async stop(): Promise<void> {
    await super.stop();
    this.#ranMs.clear();
    this.#readers.clear();
  }

  protected decide(view: ReadView, serviceIds: readonly string[], nowMs: number): Decision {
    const steps: Decision['steps'][number][] = [];
    const wakes: [string, number][] = [];
    for (const id of serviceIds) {
      if (this.#forgotten.has(id)) continue;
      const ranFor = (taskId: string) => this.#ranMs.get(id)?.get(taskId);
      const reader = this.#readerOf(view, id);
      const plan = planUpdate(view, id, { nowMs, random: this.#random, ranFor, reader });
      for (const step of plan.steps) steps.push(step);
      if (plan.waitMs !== undefined) wakes.push([id, plan.waitMs]);
    }
    return { steps, wakes };
  }

  #readerOf(view: ReadView, serviceId: string): SlotReader | undefined {
    const service = view.get('service', serviceId);
    if (!service || !isUpdating(service)) return undefined;
    let reader = this.#readers.get(serviceId);
    if (!reader) this.#readers.set(serviceId, (reader = new SlotReader()));
    return reader;
  }

  protected markAll(): void {
    for (const service of this.store.view.all('service')) {
      if (this.#forgets && isUpdating(service)) this.#forgotten.add(service.id);
      else this.mark(service.id);
    }
  }

  protected onChange(change: Change): void {
    if (change.table === 'service') this.#onService(change);
    else if (change.table === 'task') this.#onTask(change);
    else if (change.table === 'node') this.#onNode(change.object.id);
  }

  #onService({ kind, object: service }: ChangeOf<'service'>): void {
    if (kind === 'remove' || !isUpdating(service)) {
      this.#ranMs.delete(service.id);
      this.#readers.delete(service.id);
      this.#forgotten.delete(service.id);
    }
    this.mark(service.id);
  }

  #onTask({ kind, object: task, before }: ChangeOf<'task'>): void {
    const service = this.store.view.get('service', task.serviceId);
    if (!service?.updateStatus) return;
    if (kind === 'update' && before) {
      if (hasEnded(task) && !hasEnded(before) && isUpdating(service)) this.#noteEnd(before, task);
      if (isStep(before, task) || this.#isHandedOver(before, task)) this.mark(service.id);
    } else if (kind === 'remove' && isLive(task)) {
      this.mark(service.id);
    }
  }

  /**
   * Whether a task was given up while another of its slot serves. One that the updater gave up itself,
   * to put another in its place, is news only when that one runs: looking at a large service anew for
   * each would be most of the work of its update.
   */
  #isHandedOver(before: TaskObject, task: TaskObject): boolean {
    if (!isLive(before) || isLive(task)) return false;
    const { view } = this.store;
    const others = slotOfKey(view, slotKey(view, task)).filter(isLive);
    const expected = others.length > 0 && others.every(({ status }) => status.state < RUNNING);
    return !expected;
  }

  #noteEnd(before: TaskObject, task: TaskObject): void {
    const ran = before.status.state === RUNNING;
    const ranMs = ran ? statusTimeMs(task) - statusTimeMs(before) : 0;
    let ofService = this.#ranMs.get(task.serviceId);
    if (!ofService) this.#ranMs.set(task.serviceId, (ofService = new Map()));
    ofService.set(task.id, ranMs);
  }

  /**
   * A node that opens again may hold tasks of a global service that its update had to leave out.
   * For a replicated one no update begins over a node: misplaced tasks are the constraint
   * enforcer's.
   */
  #onNode(nodeId: string): void {
    for (const reader of this.#readers.values()) reader.forget();
    const { view } = this.store;
    for (const task of view.tasksOfNode(nodeId)) {
      const service = view.get('service', task.serviceId);
      if (service && isGlobal(service)) this.mark(service.id);
    }
  }
}

/** Whether a task that is wanted came to run, ended, or was told anew why it has no place. */
function isStep(before: TaskObject, task: TaskObject): boolean {
  if (!isLive(before)) return false;
  const began = task.status.state >= RUNNING && before.status.state < RUNNING;
  const ended = hasEnded(task) && !hasEnded(before);
  return began || ended || (isRefused(task) && before.status.err !== task.status.err);
}
