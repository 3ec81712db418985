import { Agent, request } from 'node:http';

/** An answer later than this counts as none; what was written stays unknown. */
const ANSWER_TIMEOUT_MS = 30_000;
/** Between two attempts at a socket that nobody listens at. */
const RETRY_MS = 20;

export interface WriterOptions {
  /** The engine's socket. */
  socket: string;
  /** Names are this and a number. */
  prefix: string;
  /** A value's size. */
  bytes?: number;
}

/** What an engine answered: status 0 stands for no answer at all. */
export interface Answer {
  status: number;
  text: string;
  tookMs: number;
}

/** POST of a new config. */
export function createConfig(
  socketPath: string,
  name: string,
  options: { bytes?: number; agent?: Agent } = {},
): Promise<Answer> {
  const data = Buffer.alloc(options.bytes ?? 64, name).toString('base64');
  const body = JSON.stringify({ Name: name, Data: data, Labels: {} });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  const { agent } = options;
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const end = (status: number, text: string) =>
      resolve({ status, text, tookMs: performance.now() - startedMs });
    const target = { socketPath, path: '/configs/create', method: 'POST', headers };
    const call = request({ ...target, ...(agent && { agent }) }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => end(response.statusCode ?? 0, text));
      response.on('error', (error) => end(0, error.message));
    });
    call.setTimeout(ANSWER_TIMEOUT_MS, () => call.destroy(new Error('no answer in time')));
    call.on('error', (error) => end(0, error.message));
    call.end(body);
  });
}

/** One client that creates configs one after the other, as fast as they are acknowledged. */
export class ConfigWriter {
  readonly acknowledged: string[] = [];
  /** Refusals and losses, in order. */
  readonly failures: Answer[] = [];
  /** Longest time from one acknowledged write to the next. */
  longestPauseMs = 0;
  readonly #options: WriterOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #done: Promise<void>;
  #isStopped = false;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#done = this.#run();
  }

  /** Resolves when the write under way has its answer. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
    this.#agent.destroy();
  }

  async #run(): Promise<void> {
    const { socket, prefix, bytes } = this.#options;
    let lastMs: number | undefined;
    for (let n = 1; !this.#isStopped; n++) {
      const name = `${prefix}${n}`;
      const answer = await createConfig(socket, name, { bytes, agent: this.#agent });
      if (answer.status === 201) {
        const nowMs = performance.now();
        if (lastMs !== undefined) {
          this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - lastMs);
        }
        lastMs = nowMs;
        this.acknowledged.push(name);
      } else {
        this.failures.push(answer);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
