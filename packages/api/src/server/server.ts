import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { Code, type Logger, RpcError } from '@skep/platform';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { API_VERSION_MAX, JSON_BODY_BYTES_MAX } from '../limits.js';
import { discardBody } from './discard.js';
import { HttpError, toHttpError } from './errors.js';
import { HijackRoutes } from './hijack.js';
import { checkVersion, compareVersions, splitVersion } from './versions.js';

declare module 'fastify' {
  interface FastifyInstance {
    /** Serves a connection that is taken over from HTTP. */
    upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void;
  }
  interface FastifyRequest {
    /** The API version the client speaks, `1.24` to `1.51`. */
    apiVersion: string;
  }
}

interface Versioned extends IncomingMessage {
  apiVersion?: string;
}

const TOO_LARGE = 413;

export interface ServerOptions {
  log: Logger;
  /** What the `Server` header says. */
  serverName: string;
}

/** A group of routes, registered on the server's two routers. */
export type Routes = (app: FastifyInstance, hijack: HijackRoutes) => void;

/** The HTTP server of the Engine API with the given routes; not yet listening. */
export function createServer(options: ServerOptions, groups: readonly Routes[]): FastifyInstance {
  const app = fastify({
    bodyLimit: JSON_BODY_BYTES_MAX,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 2_048 },
    forceCloseConnections: true,
    // A path that is no path: the framework's own answer would not be in Docker's form.
    frameworkErrors: (error, _request, reply) => {
      const answer = toHttpError(error);
      (reply as FastifyReply).code(answer.status).send({ message: answer.message });
    },
    rewriteUrl: (message) => {
      const { version, path } = splitVersion(message.url ?? '/');
      (message as Versioned).apiVersion = version;
      return path;
    },
  });
  const hijack = new HijackRoutes();
  acceptDockerBodies(app);
  app.decorateRequest('apiVersion', API_VERSION_MAX);
  app.addHook('onRequest', async (request, reply) => {
    request.apiVersion = (request.raw as Versioned).apiVersion ?? API_VERSION_MAX;
    reply.header('Api-Version', API_VERSION_MAX);
    reply.header('Docker-Experimental', 'false');
    reply.header('Ostype', 'linux');
    reply.header('Server', options.serverName);
    checkVersion(request.apiVersion);
  });
  // Docker's clients compare the content type as a whole: with a charset they print errors as raw JSON.
  app.addHook('onSend', async (_request, reply, payload) => {
    const type = String(reply.getHeader('content-type') ?? '');
    if (type.startsWith('application/json;')) reply.header('content-type', 'application/json');
    return payload;
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ message: 'page not found' }));
  app.setErrorHandler(async (error, request, reply) => {
    const answer = toHttpError(error);
    if (answer.status >= 500 && !(error instanceof RpcError && error.code === Code.UNAVAILABLE)) {
      const fields = { method: request.method, url: request.url, error: answer.message };
      options.log.warn(fields, 'request failed');
    }
    if (answer.status === TOO_LARGE) await discardBody(request.raw);
    return reply.code(answer.status).send({ message: answer.message });
  });
  for (const routes of groups) routes(app, hijack);
  const upgrade: ApiServer['upgrade'] = (message, socket, head) =>
    void hijack.serve(message, socket, head);
  app.decorate('upgrade', upgrade);
  app.server.on('upgrade', upgrade);
  return app;
}

/** The API as handlers for any number of listeners. */
export interface ApiServer {
  handle(message: IncomingMessage, response: ServerResponse): void;
  upgrade(message: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** Finishes a server's routes, for listeners that are opened elsewhere. */
export async function readyServer(app: FastifyInstance): Promise<ApiServer> {
  await app.ready();
  return { handle: app.routing, upgrade: app.upgrade };
}

/** JSON as Docker reads it (an empty body is no body), and any other content as a stream. */
function acceptDockerBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const json = { parseAs: 'string', bodyLimit: JSON_BODY_BYTES_MAX } as const;
  app.addContentTypeParser<string>('application/json', json, (_request, body, done) => {
    if (body.length === 0) return done(null, undefined);
    try {
      done(null, JSON.parse(body));
    } catch (error) {
      done(new HttpError(400, `invalid JSON: ${(error as Error).message}`), undefined);
    }
  });
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
}

/** True when the client speaks at least this API version. */
export function speaks(request: { apiVersion: string }, version: string): boolean {
  return compareVersions(request.apiVersion, version) >= 0;
}
