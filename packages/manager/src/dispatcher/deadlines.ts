import type { Cancel, Clock } from '@skep/platform';

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
    this.#byNode.get(nodeId)?.cancel();
    const cancel = this.#clock.after(delayMs, () => {
      this.#byNode.delete(nodeId);
      this.#onExpired(nodeId);
    });
    this.#byNode.set(nodeId, { dueMs: this.#clock.monotonic() + delayMs, cancel });
  }

  /** Shortens the node's time where it is longer. */
  shorten(nodeId: string, delayMs: number): void {
    const deadline = this.#byNode.get(nodeId);
    if (deadline && deadline.dueMs > this.#clock.monotonic() + delayMs) this.set(nodeId, delayMs);
  }

  cancel(nodeId: string): void {
    this.#byNode.get(nodeId)?.cancel();
    this.#byNode.delete(nodeId);
  }

  clear(): void {
    for (const { cancel } of this.#byNode.values()) cancel();
    this.#byNode.clear();
  }
}
