import type { Cancel, Clock } from '@skep/platform';
import { LATE_EXTRA_MS, LATE_GRACE_MS_MAX, LATE_MS_MAX } from './limits.js';

interface Deadline {
  dueMs: number;
  cancel: Cancel;
}

/** One timer a node: when it has been silent for too long. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #onExpired: (nodeId: string) => void;
  readonly #byNode = new Map<string, Deadline>();

  constructor(clock: Clock, onExpired: (nodeId: string) => void) {
    this.#clock = clock;
    this.#onExpired = onExpired;
  }

  has(nodeId: string): boolean {
    return this.#byNode.has(nodeId);
  }

  /** Starts the node's time anew. */
  set(nodeId: string, delayMs: number): void {
    this.#arm(nodeId, delayMs, (lateMs) => {
      if (lateMs <= LATE_MS_MAX) return this.#expire(nodeId);
      // Whoever slept did not listen either: nodes get the time lost, to be heard or to come back.
      const moreMs = Math.min(lateMs + LATE_EXTRA_MS, LATE_GRACE_MS_MAX);
      this.#arm(nodeId, moreMs, () => this.#expire(nodeId));
    });
  }

  cancel(nodeId: string): void {
    this.#byNode.get(nodeId)?.cancel();
    this.#byNode.delete(nodeId);
  }

  clear(): void {
    for (const { cancel } of this.#byNode.values()) cancel();
    this.#byNode.clear();
  }

  #arm(nodeId: string, delayMs: number, onDue: (lateMs: number) => void): void {
    this.#byNode.get(nodeId)?.cancel();
    const dueMs = this.#clock.monotonic() + delayMs;
    const cancel = this.#clock.after(delayMs, () => onDue(this.#clock.monotonic() - dueMs));
    this.#byNode.set(nodeId, { dueMs, cancel });
  }

  #expire(nodeId: string): void {
    this.#byNode.delete(nodeId);
    this.#onExpired(nodeId);
  }
}
