import { type Clock, Code, RpcError } from '@skep/platform';
import { type Envelope, toWire } from '@skep/raft';
import type { Channel, Exchange } from '@skep/rpc';
import { Peers } from '@skep/wire/skep';
import { LANE_LIFE_MS } from '../limits.js';

type MessageExchange = Exchange<
  typeof Peers.method.exchange.input,
  typeof Peers.method.exchange.output
>;

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Carries Raft's messages to one peer over one long call: a message so costs a tenth of what a call
 * of its own does. Once it failed, it takes no more.
 */
export class Lane {
  readonly #exchange: MessageExchange;
  readonly #clock: Clock;
  readonly #openedMs: number;
  /** Whom to tell of what was sent and not answered, oldest first. */
  readonly #waiting: Waiter[] = [];
  #failure: unknown;
  #isOver = false;

  private constructor(exchange: MessageExchange, clock: Clock) {
    this.#exchange = exchange;
    this.#clock = clock;
    this.#openedMs = clock.monotonic();
    void this.#read();
  }

  /**
   * Resolves when the peer answers on it. Rejects with UNIMPLEMENTED when it is of another kind.
   */
  static async open(channel: Channel, clock: Clock, timeoutMs: number): Promise<Lane> {
    const lane = new Lane(await channel.exchange(Peers.method.exchange), clock);
    await lane.#ask({}, timeoutMs);
    return lane;
  }

  /** Whether the next message may go over it. */
  get isUsable(): boolean {
    return !this.#isOver && this.#clock.monotonic() - this.#openedMs < LANE_LIFE_MS;
  }

  /**
   * Resolves when the peer has taken the message, which is no snapshot; rejects after `timeoutMs`.
   */
  send(envelope: Envelope, timeoutMs: number): Promise<void> {
    return this.#ask({ message: toWire(envelope) }, timeoutMs);
  }

  /** What was not answered is lost. */
  close(): void {
    this.#end(new RpcError(Code.CANCELED, 'raft: the connection to the peer was closed'));
  }

  #ask(request: Parameters<MessageExchange['send']>[0], timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isOver) return reject(this.#failure);
      const cancel = this.#clock.after(timeoutMs, () => {
        this.#end(new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded'));
      });
      this.#waiting.push({
        resolve: () => {
          cancel();
          resolve();
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      });
      // Those waiting are few and bounded by whoever sends: nothing more is to be held back.
      void this.#exchange.send(request);
    });
  }

  async #read(): Promise<void> {
    try {
      for await (const _ of this.#exchange.responses) this.#waiting.shift()?.resolve();
      this.#end(new RpcError(Code.UNAVAILABLE, 'raft: the peer ended the call'));
    } catch (error) {
      this.#end(error);
    }
  }

  #end(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#exchange.close();
  }
}
