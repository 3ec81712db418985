import { readFileSync } from 'node:fs';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { PluginAddress } from './discovery.js';
import { PLUGIN_ANSWER_BYTES_MAX } from './limits.js';

export interface PluginAnswer {
  status: number;
  body: string;
}

/** One call of a plugin. Rejects when no whole answer came in time; any status is an answer. */
export interface PluginTransport {
  post(
    address: PluginAddress,
    method: string,
    body: string,
    timeoutMs: number,
  ): Promise<PluginAnswer>;
}

const CONTENT_TYPE = 'application/vnd.docker.plugins.v1.2+json';

/** Docker's protocol: POST of JSON over a unix socket, TCP, or TLS. */
export class HttpPluginTransport implements PluginTransport {
  post(
    address: PluginAddress,
    method: string,
    body: string,
    timeoutMs: number,
  ): Promise<PluginAnswer> {
    const isTls = address.tls !== undefined || address.url.startsWith('https:');
    const options: RequestOptions = {
      ...target(address),
      ...(isTls ? tlsOptions(address) : {}),
      method: 'POST',
      path: `/${method}`,
      agent: false,
      headers: {
        Accept: CONTENT_TYPE,
        'Content-Type': CONTENT_TYPE,
        'Content-Length': Buffer.byteLength(body),
      },
      signal: AbortSignal.timeout(timeoutMs),
    };
    return new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        const late = error.name === 'AbortError' || error.name === 'TimeoutError';
        const text = `no answer within ${timeoutMs / 1_000} s`;
        reject(late ? new Error(`Post "${address.url}/${method}": ${text}`) : error);
      };
      const sent = (isTls ? httpsRequest : httpRequest)(options, (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          chunks.push(chunk);
          if (bytes > PLUGIN_ANSWER_BYTES_MAX) answer.destroy(new Error('the answer is too long'));
        });
        answer.on('error', fail);
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
        });
      });
      sent.on('error', fail);
      sent.end(body);
    });
  }
}

function target({ url }: PluginAddress): RequestOptions {
  if (url.startsWith('unix://')) {
    return { socketPath: url.slice('unix://'.length), headers: { Host: 'plugin' } };
  }
  const { hostname, port } = new URL(url.replace(/^tcp:/, 'http:'));
  return { host: hostname.replace(/^\[|\]$/g, ''), ...(port === '' ? {} : { port }) };
}

function tlsOptions({ tls }: PluginAddress) {
  return {
    rejectUnauthorized: tls?.verify ?? true,
    ...(tls?.caFile ? { ca: readFileSync(tls.caFile) } : {}),
    ...(tls?.certFile ? { cert: readFileSync(tls.certFile) } : {}),
    ...(tls?.keyFile ? { key: readFileSync(tls.keyFile) } : {}),
  };
}
