import { type Clock, errorMessage, InvariantError, type Logger, type Random } from '@skep/platform';
import type { ReadView, Store } from '@skep/store';
import { DirtyKeys } from './dirty-keys.js';
import { commitPlan, type Step } from './plan.js';

/** Keys planned in one go: enough for a node's tasks, few enough not to hold up the event loop. */
const KEYS_MAX = 1_000;

/** What every control loop is made of. */
export interface LoopOptions {
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  /** Called when an invariant broke: the process must stop. */
  onFatal?(error: InvariantError): void;
}

/** What a loop wants written, and when it must look again though nothing changes until then. */
export interface Decision {
  steps: readonly Step[];
  /** Key and the delay in ms after which it is planned again. */
  wakes?: readonly (readonly [key: string, delayMs: number])[];
}

/** Decisions on several keys as one. */
export function merged(decisions: readonly Decision[]): Decision {
  const steps = decisions.flatMap((decision) => decision.steps);
  return { steps, wakes: decisions.flatMap((decision) => decision.wakes ?? []) };
}

export interface PlannerOptions {
  name: string;
  store: Store;
  clock: Clock;
  log: Logger;
  /**
   * Compares what is with what should be for these keys. Reads nothing but the view.
   * `nowMs` (wall clock) is not later than the timestamps of what it writes.
   */
  decide(view: ReadView, keys: readonly string[], nowMs: number): Decision;
  onFatal?(error: InvariantError): void;
}

/**
 * The engine of loops that plan: all keys marked since the last plan are decided on together, in
 * one transaction, and written in few entries, so that batches form under load and a lone mark
 * waits for nothing. A failed batch is tried again later in halves, which leaves a key that cannot
 * be planned alone in the end.
 */
export class Planner {
  readonly #options: PlannerOptions;
  readonly #keys: DirtyKeys<string>;
  #batchMax = KEYS_MAX;

  constructor(options: PlannerOptions) {
    this.#options = options;
    this.#keys = new DirtyKeys({ clock: options.clock, work: () => this.#work() });
  }

  start(): void {
    this.#keys.start();
  }

  mark(key: string): void {
    this.#keys.mark(key);
  }

  stop(): Promise<void> {
    return this.#keys.stop();
  }

  async #work(): Promise<void> {
    const keys = this.#keys.take(this.#batchMax);
    try {
      await this.#plan(keys);
      this.#keys.succeeded(keys);
      this.#batchMax = Math.min(this.#batchMax * 2, KEYS_MAX);
    } catch (error) {
      if (error instanceof InvariantError) this.#options.onFatal?.(error);
      if (!this.#keys.stopped) this.#retryLater(keys, error);
    }
  }

  async #plan(keys: readonly string[]): Promise<void> {
    let wakes: Decision['wakes'];
    const nowMs = this.#options.clock.now();
    await commitPlan(this.#options.store, (view) => {
      const decision = this.#options.decide(view, keys, nowMs);
      wakes = decision.wakes;
      return decision.steps;
    });
    for (const [key, delayMs] of wakes ?? []) this.#keys.markAfter(key, delayMs);
  }

  #retryLater(keys: readonly string[], error: unknown): void {
    this.#batchMax = Math.max(1, keys.length >> 1);
    const delayMs = this.#keys.failed(keys);
    const fields = { loop: this.#options.name, keys: keys.length, first: keys[0], delayMs };
    this.#options.log.warn({ ...fields, error: errorMessage(error) }, 'planning again later');
  }
}
