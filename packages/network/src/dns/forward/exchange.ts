import type { Cancel, Clock } from '@skep/platform';
import { FORWARD_TIMEOUT_MS } from '../limits.js';
import { ResponseCode } from '../message/codes.js';
import type { Question } from '../message/question.js';
import { answers, parseReply } from '../message/reply.js';
import type { NameProtocol, NameServer, NameSockets, ServerChannel } from '../sockets/contract.js';

export interface ExchangeOptions {
  sockets: NameSockets;
  clock: Clock;
  /** In the order they are asked. */
  servers: readonly NameServer[];
  protocol: NameProtocol;
  question: Question;
  /** As it came, but with an id of its own. */
  message: Buffer;
  /** The answer, with that id; undefined: nobody gave one. Called once. */
  onEnd(answer: Buffer | undefined): void;
}

/** Codes with which a server says no more than that another may know. */
const PASSED_ON: ReadonlySet<number> = new Set([
  ResponseCode.FORMAT_ERROR,
  ResponseCode.SERVER_FAILURE,
  ResponseCode.NOT_IMPLEMENTED,
  ResponseCode.REFUSED,
]);

/**
 * Asks servers in turn until one answers. The next has its turn when one fails, or is silent for its
 * part of the time; the earlier are listened to all the while.
 */
export class Exchange {
  readonly #options: ExchangeOptions;
  readonly #attempts: NameServer[];
  readonly #open = new Set<ServerChannel>();
  #deadline: Cancel | undefined;
  #nextTurn: Cancel | undefined;
  #begun = 0;
  /** What a server said that could not help: better than nothing at all. */
  #second: Buffer | undefined;
  #ended = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    const { servers, protocol } = options;
    // TCP repeats by itself what is lost.
    const alone = protocol === 'udp' && servers.length === 1;
    this.#attempts = alone ? [...servers, ...servers] : [...servers];
  }

  start(): void {
    this.#deadline = this.#options.clock.after(FORWARD_TIMEOUT_MS, () => this.#end(this.#second));
    this.#askNext();
  }

  abandon(): void {
    this.#end(undefined);
  }

  #askNext(): void {
    this.#nextTurn?.();
    const server = this.#attempts[this.#begun];
    if (!server) {
      if (this.#open.size === 0) this.#end(this.#second);
      return;
    }
    this.#begun++;
    const { sockets, clock, protocol, message } = this.#options;
    const turnMs = FORWARD_TIMEOUT_MS / this.#attempts.length;
    this.#nextTurn = clock.after(turnMs, () => this.#askNext());
    const channel = sockets.ask(server, protocol, message, {
      onMessage: (answer) => this.#onMessage(answer, channel),
      onFailure: () => this.#onFailure(channel),
    });
    this.#open.add(channel);
  }

  #onMessage(answer: Buffer, channel: ServerChannel): void {
    const { question, message } = this.#options;
    const reply = parseReply(answer);
    // Not an answer to this question: forged, or meant for somebody else.
    if (!reply || reply.id !== message.readUInt16BE(0) || !answers(reply, question)) return;
    if (PASSED_ON.has(reply.code)) {
      this.#second = answer;
      this.#onFailure(channel);
    } else {
      this.#end(answer);
    }
  }

  #onFailure(channel: ServerChannel): void {
    channel.close();
    this.#open.delete(channel);
    if (!this.#ended) this.#askNext();
  }

  #end(answer: Buffer | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline?.();
    this.#nextTurn?.();
    for (const channel of this.#open) channel.close();
    this.#open.clear();
    this.#options.onEnd(answer);
  }
}
