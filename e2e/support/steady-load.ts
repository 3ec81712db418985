import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Longer than any answer should take: a client that waits this long was left hanging. */
const ANSWER_TIMEOUT_MS = 5_000;
/** Between an answer and the next request of a client. */
const PAUSE_MS = 20;

export interface LoadOptions {
  /** Asked in turns. */
  urls: readonly string[];
  clients: number;
  /** Whether a client asks again on the connection it has, as long as the server lets it. */
  keepAlive: boolean;
}

/** Clients that ask by HTTP all the time, until they are stopped. */
export class SteadyLoad {
  readonly #work: Promise<void>[];
  readonly #failures: string[] = [];
  #answers = 0;
  #isStopped = false;

  constructor(options: LoadOptions) {
    const clients = Array.from({ length: options.clients }, (_, number) => number);
    this.#work = clients.map((number) => this.#client(number, options));
  }

  /** Requests answered so far. */
  get answers(): number {
    return this.#answers;
  }

  /** What went wrong, one line for each request that was not answered. */
  async stop(): Promise<string[]> {
    this.#isStopped = true;
    await Promise.all(this.#work);
    return this.#failures;
  }

  async #client(number: number, { urls, keepAlive }: LoadOptions): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 });
    for (let round = number; !this.#isStopped; round++) {
      const url = urls[round % urls.length] ?? '';
      const failure = await ask(url, agent);
      if (failure === undefined) this.#answers++;
      else this.#failures.push(`${new Date().toISOString()} ${url} ${failure}`);
      await sleep(PAUSE_MS);
    }
    agent.destroy();
  }
}

/** What went wrong with one request. */
function ask(url: string, agent: Agent): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request(url, { agent, timeout: ANSWER_TIMEOUT_MS }, (answer) => {
      answer.resume();
      answer.on('end', () => resolve(answer.statusCode === 200 ? undefined : 'no success'));
      answer.on('error', (error: Error) => resolve(error.message));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer')));
    sent.on('error', ({ message }) => {
      const kind = sent.reusedSocket ? 'known' : 'new';
      resolve(`on a ${kind} connection: ${message}`);
    });
    sent.end();
  });
}
