import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { ApiServer } from '@skep/api';
import { OptionsError, type TlsOptions } from '../config/options.js';

/** Time a client may take for the head of a request. */
const REQUEST_HEAD_TIMEOUT_MS = 30_000;

/** Opens a listener of the API on `unix:///path` or `tcp://ip:port`. */
export async function listen(
  api: ApiServer,
  host: string,
  tls: TlsOptions | undefined,
): Promise<Server> {
  const server = createServer(api, host, tls);
  server.requestTimeout = 0; // pulls, logs and attached streams take as long as they take
  server.headersTimeout = REQUEST_HEAD_TIMEOUT_MS;
  if (host.startsWith('unix://')) await listenOnSocket(server, host.slice('unix://'.length));
  else await listenOnPort(server, new URL(host));
  return server;
}

function createServer(api: ApiServer, host: string, tls: TlsOptions | undefined): Server {
  const server =
    host.startsWith('unix://') || !tls
      ? createHttpServer(api.handle)
      : createHttpsServer(
          {
            ca: readFileSync(tls.caFile),
            cert: readFileSync(tls.certFile),
            key: readFileSync(tls.keyFile),
            requestCert: true,
            rejectUnauthorized: true,
            minVersion: 'TLSv1.2',
          },
          api.handle,
        );
  return server.on('upgrade', api.upgrade);
}

/** A left-over socket file is replaced; one that answers belongs to somebody. */
async function listenOnSocket(server: Server, path: string): Promise<void> {
  if (await answers(path)) throw new OptionsError(`${path}: another daemon listens there`);
  rmSync(path, { force: true });
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o660);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

function listenOnPort(server: Server, url: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(url.port), url.hostname.replace(/^\[|\]$/g, ''), resolve);
  });
}
