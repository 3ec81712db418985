import type { Cancel, Clock } from '@skep/platform';
import { WITHDRAWN_MS_MAX } from './limits.js';

/** Tasks that are about to stop: not to be used any more, though the store does not say so yet. */
export class Withdrawals {
  readonly #clock: Clock;
  /** Called when a task takes part again. */
  readonly #onExpired: (taskId: string) => void;
  readonly #byTask = new Map<string, Cancel>();

  constructor(clock: Clock, onExpired: (taskId: string) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  has(taskId: string): boolean {
    return this.#byTask.has(taskId);
  }

  add(taskId: string): void {
    this.forget(taskId);
    const cancel = this.#clock.after(WITHDRAWN_MS_MAX, () => {
      this.#byTask.delete(taskId);
      this.#onExpired(taskId);
    });
    this.#byTask.set(taskId, cancel);
  }

  /** The task has ended. */
  forget(taskId: string): void {
    this.#byTask.get(taskId)?.();
    this.#byTask.delete(taskId);
  }

  clear(): void {
    for (const cancel of this.#byTask.values()) cancel();
    this.#byTask.clear();
  }
}
