import {
  type Cancel,
  type Clock,
  errorMessage,
  InvariantError,
  type Logger,
  type Random,
} from '@skep/platform';
import type { ReadView, Store } from '@skep/store';
import { commitPlan, type Step } from './plan.js';

/** First and longest wait before keys whose plan failed are planned again. */
const RETRY_FIRST_MS = 100;
const RETRY_MS_MAX = 10_000;

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
  readonly #dirty = new Set<string>();
  readonly #timers = new Map<string, Cancel>();
  readonly #failures = new Map<string, number>();
  #batchMax = KEYS_MAX;
  #running: Promise<void> | undefined;
  #stopped = true;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stopped = false;
    this.#run();
  }

  mark(key: string): void {
    this.#dirty.add(key);
    this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#dirty.clear();
    this.#failures.clear();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await this.#running;
  }

  #run(): void {
    if (this.#stopped || this.#running) return;
    this.#running = Promise.resolve()
      .then(() => this.#drain())
      .finally(() => {
        this.#running = undefined;
        if (this.#dirty.size > 0) this.#run();
      });
  }

  async #drain(): Promise<void> {
    while (!this.#stopped && this.#dirty.size > 0) {
      const keys = [...this.#dirty].slice(0, this.#batchMax);
      for (const key of keys) {
        this.#dirty.delete(key);
        this.#cancelTimer(key);
      }
      await this.#attempt(keys);
    }
  }

  async #attempt(keys: readonly string[]): Promise<void> {
    try {
      await this.#plan(keys);
      for (const key of keys) this.#failures.delete(key);
      this.#batchMax = Math.min(this.#batchMax * 2, KEYS_MAX);
    } catch (error) {
      if (error instanceof InvariantError) this.#options.onFatal?.(error);
      if (!this.#stopped) this.#retryLater(keys, error);
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
    for (const [key, delayMs] of wakes ?? []) this.#markAfter(key, delayMs);
  }

  #retryLater(keys: readonly string[], error: unknown): void {
    this.#batchMax = Math.max(1, keys.length >> 1);
    let failuresMost = 0;
    for (const key of keys) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      failuresMost = Math.max(failuresMost, failures);
    }
    const delayMs = Math.min(RETRY_FIRST_MS * 2 ** (failuresMost - 1), RETRY_MS_MAX);
    for (const key of keys) this.#markAfter(key, delayMs);
    const fields = { loop: this.#options.name, keys: keys.length, first: keys[0], delayMs };
    this.#options.log.warn({ ...fields, error: errorMessage(error) }, 'planning again later');
  }

  #markAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    this.#cancelTimer(key);
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(key);
      this.mark(key);
    });
    this.#timers.set(key, cancel);
  }

  #cancelTimer(key: string): void {
    this.#timers.get(key)?.();
    this.#timers.delete(key);
  }
}
