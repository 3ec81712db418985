import type { Change, ReadView, Store } from '@skep/store';
import type { ControlLoop } from '../contract.js';
import { type Decision, type LoopOptions, Planner } from './planner.js';

/** A control loop that plans: it marks what commits concern, and decides on all that is marked. */
export abstract class PlanningLoop implements ControlLoop {
  protected readonly store: Store;
  readonly #planner: Planner;
  #unsubscribe = () => {};

  protected constructor(name: string, options: LoopOptions) {
    this.store = options.store;
    this.#planner = new Planner({
      ...options,
      name,
      decide: (view, keys, nowMs) => this.decide(view, keys, nowMs),
    });
  }

  start(): void {
    this.#unsubscribe = this.store.subscribe(({ changes }) => {
      for (const change of changes) this.onChange(change);
    });
    this.markAll();
    this.#planner.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#planner.stop();
  }

  protected mark(key: string): void {
    this.#planner.mark(key);
  }

  /** See {@link Planner}. */
  protected abstract decide(view: ReadView, keys: readonly string[], nowMs: number): Decision;

  /** Marks what a committed change concerns. */
  protected abstract onChange(change: Change): void;

  /** Marks everything there may be work for: at the start nothing is known of what went before. */
  protected abstract markAll(): void;
}
