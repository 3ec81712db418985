import type { Cancel, Clock, RpcError } from '@skep/platform';
import type { CallOptions } from '../contract.js';
import { canceled, deadlineExceeded, NotSentError } from '../errors.js';

/** What ends a call from the caller's side: its time is up, or its signal aborted. */
export class CallLimit {
  readonly startedMs: number;
  #error: RpcError | undefined;
  #onEnd: ((error: RpcError) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #unsentSignal: AbortSignal | undefined;
  readonly #cancelTimer: Cancel | undefined;

  constructor(clock: Clock, { signal, unsentSignal, timeoutMs }: CallOptions) {
    this.startedMs = clock.monotonic();
    this.#signal = signal;
    this.#unsentSignal = unsentSignal;
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

  /**
   * The connection to send the call over, unless the limit is reached first, or sending given up.
   */
  connection<T>(opening: Promise<T>): Promise<T> {
    const unsent = this.#unsentSignal;
    return new Promise((resolve, reject) => {
      const giveUp = () => reject(new NotSentError('given up before it was sent'));
      this.whenEnded(reject);
      if (unsent?.aborted) giveUp();
      unsent?.addEventListener('abort', giveUp);
      opening.then(resolve, reject).finally(() => {
        unsent?.removeEventListener('abort', giveUp);
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
