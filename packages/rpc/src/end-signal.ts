import type { RpcError } from '@skep/platform';

/**
 * Tells the handler of a call that the call is over. Signal and error are made when they are asked
 * for: most handlers never look, and an error with its stack costs as much as a fifth of a call.
 */
export class EndSignal {
  #abort: AbortController | undefined;
  #endedBy: (() => RpcError) | undefined;

  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController();
      if (this.#endedBy) this.#abort.abort(this.#endedBy());
    }
    return this.#abort.signal;
  }

  /** Makes the error the call ended with; undefined while it is under way. */
  get endedBy(): (() => RpcError) | undefined {
    return this.#endedBy;
  }

  /** The first end counts. */
  end(endedBy: () => RpcError): void {
    if (this.#endedBy) return;
    this.#endedBy = endedBy;
    this.#abort?.abort(endedBy());
  }
}
