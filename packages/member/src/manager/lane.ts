import { type Cancel, type Clock, Code, RpcError } from '@skep/platform';
import { type Envelope, toWire } from '@skep/raft';
import type { Channel, Exchange } from '@skep/rpc';
import { Peers } from '@skep/wire/skep';
import { LANE_ANSWER_EVERY, LANE_LIFE_MS, LANE_WINDOW_MESSAGES } from '../limits.js';

type MessageExchange = Exchange<
  typeof Peers.method.exchange.input,
  typeof Peers.method.exchange.output
>;

type Request = Parameters<MessageExchange['send']>[0];

/**
 * Carries Raft's messages to one peer over one long call: a message so costs a tenth of what a call of its own does.
 * They count as sent while few enough are under way. When the peer takes no more, or refuses one, all under way may be
 * lost, the call ends, and so does the lane.
 */
export class Lane {
  readonly #exchange: MessageExchange;
  readonly #clock: Clock;
  readonly #openedMs: number;
  #underWay = 0;
  #cancelTimeout: Cancel | undefined;
  /** To be called when the peer has taken some. */
  #onTaken = () => {};
  #failure: unknown;
  #isOver = false;

  private constructor(exchange: MessageExchange, clock: Clock) {
    this.#exchange = exchange;
    this.#clock = clock;
    this.#openedMs = clock.monotonic();
    void this.#read();
  }

  /** Resolves when the peer answers on it. Rejects with UNIMPLEMENTED when it is of another kind. */
  static async open(channel: Channel, clock: Clock, timeoutMs: number): Promise<Lane> {
    const lane = new Lane(await channel.exchange(Peers.method.exchange), clock);
    lane.#send({}, 1, timeoutMs);
    await lane.#fewerThan(1);
    return lane;
  }

  /** Whether the next message may go over it. */
  get isUsable(): boolean {
    return !this.#isOver && this.#clock.monotonic() - this.#openedMs < LANE_LIFE_MS;
  }

  /**
   * Sends a message that is no snapshot, one after the other. Resolves when the next may follow. Rejects once the
   * lane is over, as it is when the peer leaves what it should have answered for `timeoutMs`.
   */
  send(envelope: Envelope, timeoutMs: number): Promise<void> {
    if (!this.#isOver) this.#send({ message: toWire(envelope) }, LANE_ANSWER_EVERY, timeoutMs);
    return this.#fewerThan(LANE_WINDOW_MESSAGES);
  }

  /** What was not taken is lost. */
  close(): void {
    this.#end(new RpcError(Code.CANCELED, 'raft: the connection to the peer was closed'));
  }

  #send(request: Request, answeredAt: number, timeoutMs: number): void {
    this.#underWay++;
    if (this.#underWay >= answeredAt) {
      this.#cancelTimeout ??= this.#clock.after(timeoutMs, () => {
        this.#end(new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded'));
      });
    }
    // Few are under way: nothing more is to be held back.
    void this.#exchange.send(request);
  }

  /** Resolves when fewer messages are under way. */
  async #fewerThan(count: number): Promise<void> {
    while (!this.#isOver && this.#underWay >= count) {
      await new Promise<void>((resolve) => {
        this.#onTaken = resolve;
      });
    }
    if (this.#isOver) throw this.#failure;
  }

  async #read(): Promise<void> {
    try {
      for await (const { count } of this.#exchange.responses) {
        this.#underWay -= count;
        this.#cancelTimeout?.();
        this.#cancelTimeout = undefined;
        this.#onTaken();
      }
      this.#end(new RpcError(Code.UNAVAILABLE, 'raft: the peer ended the call'));
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = error;
    this.#cancelTimeout?.();
    this.#onTaken();
    this.#exchange.close();
  }
}
