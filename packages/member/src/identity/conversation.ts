import type { DescMethodUnary, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { Clock } from '@skep/platform';
import type { Channel, Dialer, DialOptions } from '@skep/rpc';
import { explainCallError, isFinal } from './errors.js';
import { ATTEMPT_DELAY_MS, ATTEMPTS_MAX, CALL_TIMEOUT_MS } from './limits.js';

/** A manager to talk to. */
export interface PickedManager {
  address: string;
  /** Told how it went with this manager. */
  observe?(isGood: boolean): void;
}

export interface ConversationOptions {
  dialer: Dialer;
  clock: Clock;
  dial: DialOptions;
  /** The manager to turn to next. Throws UNAVAILABLE when none is known. */
  pick(): PickedManager;
  signal: AbortSignal;
}

type Message = DescMethodUnary['input'];

/** Calls to one manager after the other: as long as it goes well with one, all go to that. */
export class Conversation {
  readonly #options: ConversationOptions;
  #peer: { manager: PickedManager; channel: Channel } | undefined;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /**
   * One call, to the manager of the call before unless that failed. Rejects with what went wrong.
   */
  async call<I extends Message, O extends Message>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const { clock, signal } = this.#options;
    const { channel, manager } = (this.#peer ??= this.#open());
    try {
      const answer = await channel.unary(method, request, { signal, timeoutMs: CALL_TIMEOUT_MS });
      manager.observe?.(true);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      // A refusal says nothing against the manager.
      if (!isFinal(error)) {
        manager.observe?.(false);
        this.close();
      }
      throw explainCallError(error, manager.address, clock.now());
    }
  }

  /** The same with further attempts where those may help, the last error if none does. */
  async callPatiently<I extends Message, O extends Message>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    delayMs = ATTEMPT_DELAY_MS,
  ): Promise<MessageShape<O>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.call(method, request);
      } catch (error) {
        if (attempt === ATTEMPTS_MAX || isFinal(error)) throw error;
      }
      await this.#options.clock.sleep(delayMs, this.#options.signal);
    }
  }

  /** Ends the connection; the next call picks a manager anew. */
  close(): void {
    this.#peer?.channel.close();
    this.#peer = undefined;
  }

  #open(): { manager: PickedManager; channel: Channel } {
    const manager = this.#options.pick();
    return { manager, channel: this.#options.dialer.dial(manager.address, this.#options.dial) };
  }
}
