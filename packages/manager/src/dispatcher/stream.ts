import { Code, RpcError } from '@skep/platform';
import { whenAborted } from '../loop/when-aborted.js';

/** Why a stream was ended by this side. `moved`: the node shall look for another manager. */
export type EndReason = 'moved' | 'replaced';

/**
 * One open stream to a node: wakes its writer when there is something to tell. Any number of wakes while the
 * writer is busy are one, so a slow reader costs no memory and gets the newest state.
 */
export class NodeStream {
  #woken = false;
  #ended: EndReason | undefined;
  #resolve: (() => void) | undefined;

  get ended(): EndReason | undefined {
    return this.#ended;
  }

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  end(reason: EndReason): void {
    this.#ended ??= reason;
    this.wake();
  }

  /** Resolves at the next wake, or at once when there was one; also when the signal aborts. */
  async woken(signal: AbortSignal): Promise<void> {
    if (!this.#woken && !signal.aborted) {
      const forget = whenAborted(signal, () => this.#resolve?.());
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
      forget();
    }
    this.#resolve = undefined;
    this.#woken = false;
  }

  /** Throws when this side has ended the stream. */
  check(): void {
    if (this.#ended) throw new RpcError(Code.ABORTED, 'node must disconnect');
  }
}
