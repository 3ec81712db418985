import { type Cancel, type Clock, errorMessage, InvariantError, type Logger } from '@skep/platform';

/** First and longest wait before a key whose reconciliation failed is tried again. */
const RETRY_FIRST_MS = 100;
const RETRY_MS_MAX = 10_000;

export interface ReconcilerOptions<K> {
  name: string;
  clock: Clock;
  log: Logger;
  /**
   * Brings one key's part of the world to what it should be. Run again from the start after an
   * error.
   */
  reconcile(key: K): Promise<void>;
  /** Called when an invariant broke: the process must stop. */
  onFatal?(error: InvariantError): void;
}

/**
 * The engine of a level-triggered loop: a set of dirty keys, reconciled one at a time. Marking a
 * key that is waiting does nothing; marking the one in work makes it run once more. Work starts in
 * the turn after the mark, so marks made by one commit are seen together; there is no other delay.
 */
export class Reconciler<K> {
  readonly #options: ReconcilerOptions<K>;
  readonly #dirty = new Set<K>();
  readonly #timers = new Map<K, Cancel>();
  readonly #failures = new Map<K, number>();
  #running: Promise<void> | undefined;
  #stopped = true;

  constructor(options: ReconcilerOptions<K>) {
    this.#options = options;
  }

  start(): void {
    this.#stopped = false;
    this.#run();
  }

  mark(key: K): void {
    this.#dirty.add(key);
    this.#run();
  }

  /** Marks the key when the delay has passed; a later call for the key replaces an earlier one. */
  markAfter(key: K, delayMs: number): void {
    this.#timers.get(key)?.();
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(key);
      this.mark(key);
    });
    this.#timers.set(key, cancel);
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
    while (!this.#stopped) {
      const next = this.#dirty.values().next();
      if (next.done) return;
      this.#dirty.delete(next.value);
      await this.#attempt(next.value);
    }
  }

  async #attempt(key: K): Promise<void> {
    try {
      await this.#options.reconcile(key);
      this.#failures.delete(key);
    } catch (error) {
      if (error instanceof InvariantError && this.#options.onFatal) this.#options.onFatal(error);
      if (this.#stopped) return;
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      const delayMs = Math.min(RETRY_FIRST_MS * 2 ** (failures - 1), RETRY_MS_MAX);
      const { name, log } = this.#options;
      log.warn({ loop: name, key, error: errorMessage(error), delayMs }, 'reconciling again later');
      this.markAfter(key, delayMs);
    }
  }
}
