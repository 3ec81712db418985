import type { Clock } from '@skep/platform';
import { type Envelope, toWire } from '@skep/raft';
import type { Channel } from '@skep/rpc';
import { Peers } from '@skep/wire/skep';
import { LANE_ANSWER_EVERY, LANE_WINDOW_MESSAGES } from '../limits.js';
import { LongCall } from '../long-call.js';

type MessageCall = LongCall<
  typeof Peers.method.exchange.input,
  typeof Peers.method.exchange.output
>;

/** Carries Raft's messages to one peer. They count as sent while few enough are under way. */
export class Lane {
  readonly #call: MessageCall;

  private constructor(call: MessageCall) {
    this.#call = call;
  }

  /** Resolves when the peer answers on it. Rejects with UNIMPLEMENTED when it is of another kind. */
  static async open(channel: Channel, clock: Clock, timeoutMs: number): Promise<Lane> {
    const exchange = await channel.exchange(Peers.method.exchange);
    const call = new LongCall({ exchange, clock, takenBy: ({ count }) => count });
    call.send({}, timeoutMs);
    await call.fewerThan(1);
    return new Lane(call);
  }

  /** Whether the next message may go over it. */
  get isUsable(): boolean {
    return this.#call.isUsable;
  }

  /**
   * Sends a message that is no snapshot, one after the other. Resolves when the next may follow. Rejects once the
   * lane is over, as it is when the peer leaves what it should have answered for `timeoutMs`.
   */
  send(envelope: Envelope, timeoutMs: number): Promise<void> {
    this.#call.send({ message: toWire(envelope) }, timeoutMs, LANE_ANSWER_EVERY);
    return this.#call.fewerThan(LANE_WINDOW_MESSAGES);
  }

  /** What was not taken is lost. */
  close(): void {
    this.#call.close();
  }
}
