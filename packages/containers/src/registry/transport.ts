import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { RegistryError } from './errors.js';
import {
  ANSWER_BYTES_MAX,
  BODY_TIMEOUT_MS,
  CONNECT_TIMEOUT_MS,
  HEADERS_TIMEOUT_MS,
  REDIRECTS_MAX,
} from './limits.js';
import { unreachable } from './network-error.js';

export type Headers = Record<string, string>;

export interface Answer {
  status: number;
  /** Of the last hop, names in lower case. */
  headers: Record<string, string | undefined>;
  /** Must be read to its end, or destroyed. */
  body: Readable;
}

export interface Request {
  method: 'GET' | 'HEAD' | 'POST';
  url: string;
  headers?: Headers;
  body?: string;
  /** Accept any certificate. */
  insecure?: boolean;
  signal?: AbortSignal | undefined;
}

/** HTTP as registries need it: redirects followed with care, bounded times, one connection pool. */
export interface Transport {
  /** Rejects with a RegistryError when no answer comes; any status is an answer. */
  send(request: Request): Promise<Answer>;
}

/** Headers meant for the first host alone. */
const PRIVATE_HEADERS = new Set(['authorization', 'cookie']);
const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'];

/** Loaded at the first request: a node that has not asked a registry yet saves the memory. */
const loadUndici = () => import('undici');

async function openAgent(rejectUnauthorized: boolean): Promise<Dispatcher> {
  const { Agent, EnvHttpProxyAgent } = await loadUndici();
  const options = {
    connect: { timeout: CONNECT_TIMEOUT_MS, rejectUnauthorized },
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: BODY_TIMEOUT_MS,
  };
  const hasProxy = PROXY_VARIABLES.some((name) => process.env[name]);
  return hasProxy ? new EnvHttpProxyAgent(options) : new Agent(options);
}

export class HttpTransport implements Transport {
  #strict: Promise<Dispatcher> | undefined;
  #lax: Promise<Dispatcher> | undefined;

  async send(first: Request): Promise<Answer> {
    let { url } = first;
    let headers = first.headers ?? {};
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const answer = await this.#once({ ...first, url, headers });
      const location = answer.headers['location'];
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
      if (!isRedirect || location === undefined) return answer;
      answer.body.destroy();
      const next = new URL(location, url);
      if (next.origin !== new URL(url).origin) headers = publicHeaders(headers);
      url = next.href;
    }
    const message = `stopped after ${REDIRECTS_MAX} redirects`;
    throw new RegistryError('invalid', `${verb(first)} "${first.url}": ${message}`);
  }

  async #once(one: Request): Promise<Answer> {
    try {
      const { request } = await loadUndici();
      const answer = await request(one.url, {
        method: one.method,
        headers: { 'user-agent': 'skep', ...one.headers },
        body: one.body ?? null,
        dispatcher: await this.#agent(one.insecure === true),
        signal: one.signal ?? null,
        // undici closes a connection after a HEAD otherwise, for servers that answer it with a body. One that
        // does is found out by the next answer, which then is none.
        reset: false,
      });
      answer.body.on('error', () => {}); // whoever reads hears it; whoever left need not
      return {
        status: answer.statusCode,
        headers: Object.fromEntries(
          Object.entries(answer.headers).map(([name, value]) => [
            name,
            Array.isArray(value) ? value.join(', ') : value,
          ]),
        ),
        body: answer.body,
      };
    } catch (error) {
      if (one.signal?.aborted) throw one.signal.reason;
      throw unreachable(one.method, one.url, error);
    }
  }

  #agent(insecure: boolean): Promise<Dispatcher> {
    if (insecure) return (this.#lax ??= openAgent(false));
    return (this.#strict ??= openAgent(true));
  }

  async close(): Promise<void> {
    const opened = await Promise.all([this.#strict, this.#lax]);
    await Promise.all(opened.map((agent) => agent?.destroy()));
  }
}

function publicHeaders(headers: Headers): Headers {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !PRIVATE_HEADERS.has(name.toLowerCase())),
  );
}

function verb({ method }: Request): string {
  return method.charAt(0) + method.slice(1).toLowerCase();
}

/** A whole body; rejects one that is larger than `limitBytes`. */
export async function readBody(answer: Answer, limitBytes = ANSWER_BYTES_MAX): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of answer.body as AsyncIterable<Buffer>) {
      bytes += piece.length;
      if (bytes > limitBytes) {
        throw new RegistryError('invalid', `the registry's answer exceeds ${limitBytes} bytes`);
      }
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof RegistryError) throw error;
    throw unreachable('GET', 'body', error);
  }
  return Buffer.concat(pieces);
}
