import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { invariant } from '@skep/platform';
import createRouter from 'find-my-way';
import { JSON_BODY_BYTES_MAX } from '../limits.js';
import { HttpError, toHttpError } from './errors.js';
import type { Query } from './query.js';
import { checkVersion, splitVersion } from './versions.js';

/** A connection taken over from HTTP: after `accept` it carries raw bytes both ways. */
export interface HijackRequest {
  params: Record<string, string>;
  query: Query;
  apiVersion: string;
  /** The JSON body sent before the switch; `{}` when there was none. */
  body: Record<string, unknown>;
  /** Switches protocols and hands over the connection. Errors thrown before are HTTP answers. */
  accept(contentType: string): Duplex;
}

export type HijackHandler = (request: HijackRequest) => Promise<void>;

/** Routes of `Upgrade: tcp` requests (attach, exec start), which Node keeps apart from ordinary ones. */
export class HijackRoutes {
  readonly #router = createRouter({ ignoreTrailingSlash: true });

  post(path: string, handler: HijackHandler): void {
    this.#router.on('POST', path, () => {}, { handler });
  }

  /** Serves an `upgrade` event of the HTTP server. */
  async serve(message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const { version, path } = splitVersion(message.url ?? '/');
      checkVersion(version);
      const url = new URL(path, 'http://localhost');
      const found = this.#router.find('POST', url.pathname);
      if (!found || message.method !== 'POST') throw new HttpError(404, 'page not found');
      const { handler } = found.store as { handler: HijackHandler };
      const params = Object.fromEntries(
        Object.entries(found.params).map(([name, value]) => [name, value ?? '']),
      );
      const body = await readBody(message, socket, head);
      await handler({
        params,
        query: Object.fromEntries(url.searchParams),
        apiVersion: version,
        body,
        accept: (contentType) => accept(socket, contentType),
      });
    } catch (error) {
      refuse(socket, toHttpError(error));
    }
  }
}

const accepted = new WeakSet<Duplex>();

function accept(socket: Duplex, contentType: string): Duplex {
  invariant(!accepted.has(socket), 'a connection is switched once');
  accepted.add(socket);
  const head = ['HTTP/1.1 101 UPGRADED', `Content-Type: ${contentType}`];
  socket.write([...head, 'Connection: Upgrade', 'Upgrade: tcp', '', ''].join('\r\n'));
  return socket;
}

function refuse(socket: Duplex, error: HttpError): void {
  if (accepted.has(socket)) return void socket.destroy(); // too late for an answer
  const body = JSON.stringify({ message: error.message });
  const head = [
    `HTTP/1.1 ${error.status} Error`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end([...head, '', body].join('\r\n'));
}

/** Node gives the bytes after the head raw; the body is as long as its header says, the rest is input. */
async function readBody(
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<Record<string, unknown>> {
  const length = Number(message.headers['content-length'] ?? 0);
  if (message.headers['transfer-encoding']) {
    throw new HttpError(400, 'a body that is sent with an upgrade needs a Content-Length');
  }
  if (length > JSON_BODY_BYTES_MAX) throw new HttpError(413, 'http: request body too large');
  const bytes = await takeBytes(socket, head, length);
  if (length === 0) return {};
  try {
    return JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new HttpError(400, `invalid JSON: ${(error as Error).message}`);
  }
}

async function takeBytes(socket: Duplex, head: Buffer, length: number): Promise<Buffer> {
  let held = head;
  while (held.length < length) {
    const chunk = await nextChunk(socket);
    if (!chunk) throw new HttpError(400, 'unexpected EOF');
    held = Buffer.concat([held, chunk]);
  }
  if (held.length > length) socket.unshift(held.subarray(length));
  return held.subarray(0, length);
}

function nextChunk(socket: Duplex): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const take = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null && !socket.readableEnded && !socket.destroyed) return;
      for (const event of ['readable', 'end', 'close']) socket.off(event, take);
      resolve(chunk ?? undefined);
    };
    for (const event of ['readable', 'end', 'close']) socket.on(event, take);
    take();
  });
}
