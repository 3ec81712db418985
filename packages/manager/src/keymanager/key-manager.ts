import { UnknownOutcomeError } from '@skep/store';
import type { ControlLoop } from '../contract.js';
import { CLUSTER_NAME } from '../control/cluster/refused-certificates.js';
import type { LoopOptions } from '../loop/planner.js';
import { Reconciler } from '../loop/reconciler.js';
import { KEY_ROTATION_MS } from './limits.js';
import { withNewKeys } from './rotate.js';

/** What there is to do: first keys where there are none, or the next ones. */
type Task = 'found' | 'rotate';

/**
 * Renews the keys that gossip and encrypted overlays use, every twelve hours of leading. Keys that
 * exist are taken over as they are: a change of leader alone changes none, and starts the time anew.
 */
export class KeyManager implements ControlLoop {
  readonly #options: LoopOptions;
  readonly #reconciler: Reconciler<Task>;
  /** Monotonic time of the next rotation. */
  #dueMs = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#reconciler = new Reconciler<Task>({
      ...options,
      name: 'key manager',
      reconcile: (task) => this.#reconcile(task),
    });
  }

  start(): void {
    this.#dueMs = this.#options.clock.monotonic();
    this.#reconciler.mark('found');
    this.#reconciler.start();
    this.#scheduleNext();
  }

  stop(): Promise<void> {
    return this.#reconciler.stop();
  }

  async #reconcile(task: Task): Promise<void> {
    try {
      await this.#write(task);
    } catch (error) {
      // It may be written, and then not twice: if it is not, the keys live on until next time.
      if (!(error instanceof UnknownOutcomeError)) throw error;
    }
    if (task === 'rotate') this.#scheduleNext();
  }

  #write(task: Task): Promise<void> {
    const { store, random } = this.#options;
    return store.update((tx) => {
      const cluster = tx.named('cluster', CLUSTER_NAME);
      if (!cluster) return;
      const isFounded = cluster.networkBootstrapKeys.length > 0;
      if (isFounded === (task === 'found')) return;
      tx.update('cluster', { ...cluster, ...withNewKeys(cluster, random) });
    });
  }

  /** Counted from the start, not from the last rotation, so that delays do not add up. */
  #scheduleNext(): void {
    const nowMs = this.#options.clock.monotonic();
    while (this.#dueMs <= nowMs) this.#dueMs += KEY_ROTATION_MS;
    this.#reconciler.markAfter('rotate', this.#dueMs - nowMs);
  }
}
