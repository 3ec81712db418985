import { FAILING_SERVICES_MAX, FAILURE_MEMORY_MS, FAILURES_KEPT_MAX } from './limits.js';

/** When tasks failed on a node lately, by service and version of its spec. Bounded; oldest goes first. */
export class FailureMemory {
  readonly #timesMs = new Map<string, number[]>();

  record(key: string, nowMs: number): void {
    const times = [...this.#recent(key, nowMs), nowMs].slice(-FAILURES_KEPT_MAX);
    this.#timesMs.delete(key);
    this.#timesMs.set(key, times);
    if (this.#timesMs.size <= FAILING_SERVICES_MAX) return;
    const [oldest] = this.#timesMs.keys();
    if (oldest !== undefined) this.#timesMs.delete(oldest);
  }

  /** Failures within the last minutes. */
  count(key: string, nowMs: number): number {
    return this.#timesMs.size === 0 ? 0 : this.#recent(key, nowMs).length;
  }

  #recent(key: string, nowMs: number): number[] {
    return (this.#timesMs.get(key) ?? []).filter((timeMs) => nowMs - timeMs < FAILURE_MEMORY_MS);
  }
}
