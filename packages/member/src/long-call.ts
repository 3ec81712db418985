import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { type Cancel, type Clock, Code, invariant, RpcError } from '@skep/platform';
import type { Exchange } from '@skep/rpc';
import { LONG_CALL_LIFE_MS } from './limits.js';

export interface LongCallOptions<I extends DescMessage, O extends DescMessage> {
  exchange: Exchange<I, O>;
  clock: Clock;
  /** How many messages, the oldest that are under way, an answer says to have been taken. */
  takenBy(answer: MessageShape<O>): number;
}

/**
 * Messages to one other node over one call: a message so costs a tenth of what a call of its own does.
 * When the other side takes no more, or refuses one, all under way may be lost, and the call is over. It
 * takes messages for {@link LONG_CALL_LIFE_MS}, and ends after that as soon as all of them are answered.
 */
export class LongCall<I extends DescMessage, O extends DescMessage> {
  readonly #options: LongCallOptions<I, O>;
  readonly #cancelLife: Cancel;
  #underWay = 0;
  #cancelTimeout: Cancel | undefined;
  #waiter: { count: number; resolve(): void; reject(error: unknown): void } | undefined;
  #isOld = false;
  #isOver = false;
  #failure: unknown;

  constructor(options: LongCallOptions<I, O>) {
    this.#options = options;
    this.#cancelLife = options.clock.after(LONG_CALL_LIFE_MS, () => {
      this.#isOld = true;
      this.#endWhenDone();
    });
    void this.#read();
  }

  /** Whether the next message may go over it. */
  get isUsable(): boolean {
    return !this.#isOver && !this.#isOld;
  }

  /**
   * Sends a message; none once the call is over. It is over when `answeredAt` messages are under way and no
   * answer comes for `timeoutMs`.
   */
  send(request: MessageInitShape<I>, timeoutMs: number, answeredAt = 1): void {
    if (this.#isOver) return;
    const { clock, exchange } = this.#options;
    // Whoever sends waits for answers before much is under way: nothing is to be held back.
    void exchange.send(request);
    this.#underWay++;
    if (this.#underWay < answeredAt) return;
    this.#cancelTimeout ??= clock.after(timeoutMs, () => {
      this.#end(new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded'));
    });
  }

  /**
   * Resolves when fewer messages are under way; to be waited for by one at a time. Rejects once the call is
   * over, with why.
   */
  fewerThan(count: number): Promise<void> {
    invariant(!this.#waiter, 'messages over one call are sent one after the other');
    return new Promise((resolve, reject) => {
      if (this.#isOver) reject(this.#failure);
      else if (this.#underWay < count) resolve();
      else this.#waiter = { count, resolve, reject };
    });
  }

  /** What was not taken is lost. */
  close(): void {
    this.#end(new RpcError(Code.CANCELED, 'the call was closed'));
  }

  async #read(): Promise<void> {
    try {
      for await (const answer of this.#options.exchange.responses) this.#onAnswer(answer);
      this.#end(new RpcError(Code.UNAVAILABLE, 'the other side ended the call'));
    } catch (error) {
      this.#end(error);
    }
  }

  #onAnswer(answer: MessageShape<O>): void {
    this.#underWay -= this.#options.takenBy(answer);
    this.#cancelTimeout?.();
    this.#cancelTimeout = undefined;
    const waiter = this.#waiter;
    if (waiter && this.#underWay < waiter.count) {
      this.#waiter = undefined;
      waiter.resolve();
    }
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    if (this.#isOld && this.#underWay === 0) this.close();
  }

  #end(failure: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    this.#cancelLife();
    this.#cancelTimeout?.();
    this.#waiter?.reject(failure);
    this.#options.exchange.close();
  }
}
