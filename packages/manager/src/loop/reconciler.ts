import { type Clock, errorMessage, InvariantError, type Logger } from '@skep/platform';
import { DirtyKeys } from './dirty-keys.js';

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

/** The engine of a level-triggered loop: dirty keys, reconciled one at a time. */
export class Reconciler<K> {
  readonly #options: ReconcilerOptions<K>;
  readonly #keys: DirtyKeys<K>;

  constructor(options: ReconcilerOptions<K>) {
    this.#options = options;
    this.#keys = new DirtyKeys({ clock: options.clock, work: () => this.#work() });
  }

  start(): void {
    this.#keys.start();
  }

  mark(key: K): void {
    this.#keys.mark(key);
  }

  /** Marks the key when the delay has passed; a later call for the key replaces an earlier one. */
  markAfter(key: K, delayMs: number): void {
    this.#keys.markAfter(key, delayMs);
  }

  stop(): Promise<void> {
    return this.#keys.stop();
  }

  async #work(): Promise<void> {
    const { reconcile, onFatal, name, log } = this.#options;
    const keys = this.#keys.take(1);
    try {
      for (const key of keys) await reconcile(key);
      this.#keys.succeeded(keys);
    } catch (error) {
      if (error instanceof InvariantError) onFatal?.(error);
      if (this.#keys.stopped) return;
      const delayMs = this.#keys.failed(keys);
      const fields = { loop: name, key: keys[0], error: errorMessage(error), delayMs };
      log.warn(fields, 'reconciling again later');
    }
  }
}
