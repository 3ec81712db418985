import type { Cancel, Clock } from '@skep/platform';

/** First and longest wait before a key whose work failed is worked on again. */
const RETRY_FIRST_MS = 100;
const RETRY_MS_MAX = 10_000;

export interface DirtyKeysOptions {
  clock: Clock;
  /** Takes keys with {@link DirtyKeys.take} and does their work; called again while some are left. Never rejects. */
  work(): Promise<void>;
}

/**
 * The keys a level-triggered loop has yet to look at. Marking one that waits does nothing; marking one in
 * work makes it wait again. Work starts in the turn after the mark, one call at a time, so marks made by
 * one commit are seen together; there is no other delay.
 */
export class DirtyKeys<K> {
  readonly #options: DirtyKeysOptions;
  readonly #waiting = new Set<K>();
  readonly #timers = new Map<K, Cancel>();
  readonly #failures = new Map<K, number>();
  #running: Promise<void> | undefined;
  #stopped = true;

  constructor(options: DirtyKeysOptions) {
    this.#options = options;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  start(): void {
    this.#stopped = false;
    this.#run();
  }

  /** Forgets everything; resolves when no work is under way any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    this.#failures.clear();
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    await this.#running;
  }

  mark(key: K): void {
    this.#waiting.add(key);
    this.#run();
  }

  /** Marks the key when the delay has passed; a later call, or work on it before, replaces this one. */
  markAfter(key: K, delayMs: number): void {
    if (this.#stopped) return;
    this.#cancelTimer(key);
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(key);
      this.mark(key);
    });
    this.#timers.set(key, cancel);
  }

  /** At most `max` waiting keys, oldest first, which wait no longer. */
  take(max: number): K[] {
    const keys: K[] = [];
    for (const key of this.#waiting) {
      if (keys.length === max) break;
      keys.push(key);
    }
    for (const key of keys) {
      this.#waiting.delete(key);
      this.#cancelTimer(key);
    }
    return keys;
  }

  succeeded(keys: readonly K[]): void {
    for (const key of keys) this.#failures.delete(key);
  }

  /** Marks keys again after a wait that doubles with the failures of the one that failed most; returns it. */
  failed(keys: readonly K[]): number {
    let most = 0;
    for (const key of keys) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      most = Math.max(most, failures);
    }
    const delayMs = Math.min(RETRY_FIRST_MS * 2 ** (most - 1), RETRY_MS_MAX);
    for (const key of keys) this.markAfter(key, delayMs);
    return delayMs;
  }

  #run(): void {
    if (this.#stopped || this.#running) return;
    this.#running = Promise.resolve()
      .then(() => this.#drain())
      .finally(() => {
        this.#running = undefined;
        if (this.#waiting.size > 0) this.#run();
      });
  }

  async #drain(): Promise<void> {
    while (!this.#stopped && this.#waiting.size > 0) await this.#options.work();
  }

  #cancelTimer(key: K): void {
    this.#timers.get(key)?.();
    this.#timers.delete(key);
  }
}
