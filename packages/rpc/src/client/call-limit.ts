import type { Cancel, Clock, RpcError } from '@skep/platform';
import type { CallOptions } from '../contract.js';
import { canceled, deadlineExceeded } from '../errors.js';

/** What ends a call from the caller's side: its time is up, or its signal aborted. */
export class CallLimit {
  readonly startedMs: number;
  #error: RpcError | undefined;
  #onEnd: ((error: RpcError) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #cancelTimer: Cancel | undefined;

  constructor(clock: Clock, { signal, timeoutMs }: CallOptions) {
    this.startedMs = clock.monotonic();
    this.#signal = signal;
    if (signal?.aborted) this.#error = canceled();
    signal?.addEventListener('abort', this.#onAbort);
    if (timeoutMs !== undefined) {
      this.#cancelTimer = clock.after(timeoutMs, () => this.#end(deadlineExceeded()));
    }
  }

  /** Calls `onEnd` when the limit is reached, at once when it was; replaces an earlier one. */
  whenEnded(onEnd: ((error: RpcError) => void) | undefined): void {
    this.#onEnd = onEnd;
    if (this.#error) onEnd?.(this.#error);
  }

  /** The outcome of `promise`, unless the limit is reached first. */
  within<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.whenEnded(reject);
      promise.then(resolve, reject).finally(() => {
        if (this.#onEnd === reject) this.#onEnd = undefined;
      });
    });
  }

  /** The first message came: from now on only the signal ends the call. */
  stopTimer(): void {
    this.#cancelTimer?.();
  }

  /** The call is over. */
  dispose(): void {
    this.#cancelTimer?.();
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#onEnd = undefined;
  }

  readonly #onAbort = () => this.#end(canceled());

  #end(error: RpcError): void {
    this.#error ??= error;
    this.#onEnd?.(this.#error);
  }
}
