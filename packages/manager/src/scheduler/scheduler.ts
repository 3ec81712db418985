import { invariant } from '@skep/platform';
import type { Commit } from '@skep/store';
import type { ControlLoop } from '../contract.js';
import type { LoopOptions } from '../loop/planner.js';
import { Reconciler } from '../loop/reconciler.js';
import { Board } from './board.js';
import { type Decision, decide, writeDecision } from './decide.js';
import { TASKS_PER_TURN_MAX } from './limits.js';
import type { PlaceTime } from './place.js';

export type SchedulerOptions = LoopOptions;

/**
 * Finds a node for every task that is PENDING, and says why where there is none. Decides on its own picture
 * of the nodes, kept from commits, and checks each decision against what is proposed by then as it writes.
 */
export class Scheduler implements ControlLoop {
  readonly #options: SchedulerOptions;
  readonly #reconciler: Reconciler<'work'>;
  #board: Board | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#reconciler = new Reconciler({
      name: 'scheduler',
      ...options,
      reconcile: () => this.#work(),
    });
  }

  start(): void {
    invariant(!this.#unsubscribe, 'the scheduler is started twice');
    this.#board = undefined;
    this.#unsubscribe = this.#options.store.subscribe((commit) => this.#onCommit(commit));
    this.#reconciler.start();
    this.#reconciler.mark('work');
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    await this.#reconciler.stop();
    this.#board = undefined;
  }

  #onCommit({ index, changes }: Commit): void {
    const { store, clock } = this.#options;
    if (index === 0n) this.#board = undefined;
    for (const change of changes) this.#board?.apply(change, store.view, clock.monotonic());
    if (!this.#board || this.#board.waiting.hasReady()) this.#reconciler.mark('work');
  }

  async #work(): Promise<void> {
    const { store } = this.#options;
    try {
      for (;;) {
        const board = (this.#board ??= Board.from(store.view));
        const time = this.#now();
        const decisions = decide(board, TASKS_PER_TURN_MAX, time);
        if (decisions.length === 0 && !board.waiting.hasReady()) return;
        await this.#write(board, decisions, time);
      }
    } catch (error) {
      // The picture has decisions in it that may not have been written.
      this.#board = undefined;
      throw error;
    }
  }

  /** Writes a few entries at a time: a long list of refusals shall not hold up the event loop. */
  async #write(board: Board, decisions: readonly Decision[], time: PlaceTime): Promise<void> {
    for (let at = 0; at < decisions.length; at += TASKS_PER_TURN_MAX) {
      const some = decisions.slice(at, at + TASKS_PER_TURN_MAX);
      await this.#options.store.batch(some, (tx, one) => writeDecision(board, tx, one, time));
    }
  }

  #now(): PlaceTime {
    const { clock } = this.#options;
    return { nowMs: clock.now(), monotonicMs: clock.monotonic() };
  }
}
