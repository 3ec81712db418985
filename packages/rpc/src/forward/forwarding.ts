import { Code, RpcError } from '@skep/platform';
import type { CallOptions, Channel, Forwarded } from '../contract.js';
import type { LeaderWatch } from './leader-watch.js';

export interface ForwardingOptions {
  watch: LeaderWatch;
  leader: Channel;
  /** Aborts when the caller is gone. */
  signal: AbortSignal;
  forwarded: Forwarded;
}

/**
 * A stream on its way through this manager: it ends with its caller, or when another manager leads.
 */
export class Forwarding {
  readonly options: CallOptions;
  readonly #abort = new AbortController();
  readonly #signal: AbortSignal;
  readonly #forget: () => void;
  #isMoved = false;

  constructor({ watch, leader, signal, forwarded }: ForwardingOptions) {
    this.options = { signal: this.#abort.signal, forwarded };
    this.#signal = signal;
    signal.addEventListener('abort', this.#onCallerGone);
    if (signal.aborted) this.#abort.abort();
    this.#forget = watch.whenMoved(leader, () => {
      this.#isMoved = true;
      this.#abort.abort();
    });
  }

  /** The outcome of a step of the stream; why it ended, when it was ended from here. */
  async during<R>(step: () => Promise<R>): Promise<R> {
    try {
      return await step();
    } catch (error) {
      if (!this.#isMoved) throw error;
      throw new RpcError(Code.ABORTED, 'the leader of the swarm changed', { cause: error });
    }
  }

  /** The stream is over. */
  release(): void {
    this.#signal.removeEventListener('abort', this.#onCallerGone);
    this.#forget();
  }

  readonly #onCallerGone = () => this.#abort.abort();
}
