import type { Clock } from '@skep/platform';
import type { ExecutorLimits } from '../limits.js';

interface Waiter {
  networkIds: readonly string[];
  resolve(): void;
}

/**
 * The overlay networks in which this node has an address. A task can be assigned a moment before the node
 * object with the address arrives, so its preparation waits here.
 */
export class NodeAttachments {
  readonly #clock: Clock;
  readonly #limits: ExecutorLimits;
  readonly #waiters = new Set<Waiter>();
  #networkIds: ReadonlySet<string> = new Set();

  constructor(clock: Clock, limits: ExecutorLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** These, and no others, are the networks now. */
  replace(networkIds: Iterable<string>): void {
    this.#networkIds = new Set(networkIds);
    for (const waiter of [...this.#waiters]) {
      if (this.#hasAll(waiter.networkIds)) waiter.resolve();
    }
  }

  /** Resolves when the node is attached to all of them. */
  wait(networkIds: readonly string[], signal: AbortSignal): Promise<void> {
    if (this.#hasAll(networkIds)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => {
        this.#waiters.delete(waiter);
        cancel();
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const waiter: Waiter = { networkIds, resolve: () => finish(resolve) };
      const onAbort = () => finish(() => reject(signal.reason));
      const cancel = this.#clock.after(this.#limits.attachmentWaitMs, () => {
        const missing = 'node is missing network attachments, ip addresses may be exhausted';
        finish(() => reject(new Error(missing)));
      });
      this.#waiters.add(waiter);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #hasAll(networkIds: readonly string[]): boolean {
    return networkIds.every((id) => this.#networkIds.has(id));
  }
}
