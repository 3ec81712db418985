import type { Clock, Logger, Random } from '@skep/platform';
import { answerBytesMax, failureAnswer } from '../answer-question.js';
import { COMPLAINT_INTERVAL_MS, FORWARDED_QUESTIONS_MAX } from '../limits.js';
import { encodeTruncated } from '../message/answer.js';
import type { Question } from '../message/question.js';
import type { NameProtocol, NameSockets } from '../sockets/contract.js';
import { Exchange } from './exchange.js';
import type { HostServers } from './host-servers.js';
import { Places } from './places.js';
import { type ServerChoice, serversFor } from './servers.js';

export interface ForwarderOptions {
  sockets: NameSockets;
  hostServers: HostServers;
  clock: Clock;
  random: Random;
  logger: Logger;
}

export interface ForwardedQuestion {
  containerId: string;
  choice: Omit<ServerChoice, 'host'>;
  question: Question;
  message: Buffer;
  protocol: NameProtocol;
}

/** Asks servers outside for what the networks do not know. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #places = new Places(FORWARDED_QUESTIONS_MAX);
  #complainedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Resolves the answer for the client, also when none was to be had. Never rejects. */
  async forward(forwarded: ForwardedQuestion): Promise<Buffer> {
    const { message, question, protocol } = forwarded;
    const answer = await this.#exchange(forwarded);
    if (!answer) return failureAnswer(message, question);
    answer.set(message.subarray(0, 2));
    const fits = answer.length <= answerBytesMax(question, protocol);
    return fits ? answer : encodeTruncated(message, question);
  }

  /** Abandons what waits of a container. */
  forget(containerId: string): void {
    this.#places.clear(containerId);
  }

  async #exchange(forwarded: ForwardedQuestion): Promise<Buffer | undefined> {
    const { hostServers, sockets, clock, random } = this.#options;
    const { containerId, choice, question, protocol } = forwarded;
    const host = choice.given.length > 0 ? [] : await hostServers.get();
    const servers = serversFor({ ...choice, host });
    const message = Buffer.from(forwarded.message);
    message.set(random.bytes(2));
    return new Promise((resolve) => {
      const exchange: Exchange = new Exchange({
        ...{ sockets, clock, servers, protocol, question, message },
        onEnd: (answer) => {
          this.#places.give(containerId, exchange);
          resolve(answer);
        },
      });
      if (this.#places.take(containerId, exchange)) return exchange.start();
      this.#complain(containerId);
      resolve(undefined);
    });
  }

  #complain(containerId: string): void {
    const { clock, logger } = this.#options;
    const nowMs = clock.monotonic();
    if (nowMs - this.#complainedAtMs < COMPLAINT_INTERVAL_MS) return;
    this.#complainedAtMs = nowMs;
    const limit = FORWARDED_QUESTIONS_MAX;
    logger.warn({ containerId, limit }, 'too many names are asked of servers outside: refused');
  }
}
