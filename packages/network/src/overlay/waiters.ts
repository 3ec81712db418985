import type { OverlayPlace } from './contract.js';

interface Waiter {
  resolve(place: OverlayPlace): void;
  reject(error: unknown): void;
}

/** Those that wait for a network to be made, by its id. */
export class OverlayWaiters {
  readonly #waiting = new Map<string, Set<Waiter>>();

  /** Rejects with the signal's reason when it is aborted first. */
  wait(networkId: string, signal: AbortSignal): Promise<OverlayPlace> {
    return new Promise((resolve, reject) => {
      const waiters = this.#waiting.get(networkId) ?? new Set();
      this.#waiting.set(networkId, waiters);
      const leave = () => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiting.get(networkId) === waiters) {
          this.#waiting.delete(networkId);
        }
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => waiter.reject(signal.reason);
      const waiter: Waiter = {
        resolve(place) {
          leave();
          resolve(place);
        },
        reject(error) {
          leave();
          reject(error);
        },
      };
      waiters.add(waiter);
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  resolve(networkId: string, place: OverlayPlace): void {
    for (const waiter of [...(this.#waiting.get(networkId) ?? [])]) waiter.resolve(place);
  }

  reject(networkId: string, error: unknown): void {
    for (const waiter of [...(this.#waiting.get(networkId) ?? [])]) waiter.reject(error);
  }
}
