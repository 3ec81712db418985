import type { ImageEngine, RegistryAuth } from '@skep/containers';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from '../server/errors.js';
import { filters, flag, type Query, text } from '../server/query.js';
import type { Routes } from '../server/server.js';
import { checkShape } from '../server/shape.js';
import { clientSignal, streamJson } from '../server/stream.js';
import { REGISTRY_AUTH } from './bodies.js';

type ByName = FastifyRequest<{ Params: { '*': string } }>;

const LIST_FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'];
const PRUNE_FILTERS = ['dangling', 'label', 'label!', 'until'];

/** /images, /distribution and /auth. Names hold slashes, so their routes end in a wildcard. */
export function imageRoutes(images: ImageEngine): Routes {
  return (app) => {
    app.get('/images/json', (request) => list(images, request.query as Query));
    app.post('/images/create', (request, reply) => pull(images, request, reply));
    app.post('/images/load', (request, reply) => load(images, request, reply));
    app.post('/images/prune', (request) =>
      images.prune(filters(request.query as Query, PRUNE_FILTERS)),
    );
    app.get('/images/search', () => refuse('searching registries'));
    app.get('/images/get', () => refuse('saving images'));
    app.get('/images/*', (request: ByName) => read(images, request.params['*']));
    app.post('/images/*', (request: ByName, reply) => change(images, request, reply));
    app.delete('/images/*', (request: ByName) => {
      const query = request.query as Query;
      const options = { force: flag(query, 'force'), noPrune: flag(query, 'noprune') };
      return images.remove(request.params['*'], options);
    });
    app.get('/distribution/*', (request: ByName) => {
      const name = /^(.+)\/json$/.exec(request.params['*'])?.[1];
      if (!name) throw new HttpError(404, 'page not found');
      return images.distribution(name, registryAuth(request));
    });
    app.post('/auth', (request) => {
      checkShape(request.body, REGISTRY_AUTH, 'AuthConfig');
      return images.login((request.body ?? {}) as RegistryAuth);
    });
  };
}

function refuse(what: string): never {
  throw new HttpError(501, `${what} is not supported by this engine`);
}

async function list(images: ImageEngine, query: Query) {
  const wanted = filters(query, LIST_FILTERS);
  const older = text(query, 'filter'); // what clients before API 1.25 sent
  if (older) wanted.reference = [older];
  return images.list({
    all: flag(query, 'all'),
    filters: wanted,
    digests: flag(query, 'digests'),
    sharedSize: flag(query, 'shared-size'),
  });
}

/** The credentials of a request: base64url JSON in `X-Registry-Auth`; anything unreadable is none. */
export function registryAuth(request: FastifyRequest): RegistryAuth | undefined {
  const header = request.headers['x-registry-auth'];
  if (typeof header !== 'string' || header === '') return undefined;
  try {
    const auth: unknown = JSON.parse(Buffer.from(header, 'base64url').toString('utf8'));
    checkShape(auth, REGISTRY_AUTH, 'AuthConfig');
    return (auth ?? undefined) as RegistryAuth | undefined;
  } catch {
    return undefined;
  }
}

async function pull(images: ImageEngine, request: FastifyRequest, reply: FastifyReply) {
  const query = request.query as Query;
  const name = text(query, 'fromImage');
  if (text(query, 'fromSrc')) refuse('importing images');
  if (!name) throw new HttpError(400, 'invalid reference format');
  const tag = text(query, 'tag');
  const reference = tag ? `${name}${tag.includes(':') ? '@' : ':'}${tag}` : name;
  const auth = registryAuth(request);
  const platform = text(query, 'platform');
  const messages = images.pull(reference, {
    signal: clientSignal(reply),
    ...(auth ? { auth } : {}),
    ...(platform ? { platform } : {}),
  });
  await streamJson(request, reply, messages, errorLine);
}

async function load(images: ImageEngine, request: FastifyRequest, reply: FastifyReply) {
  const quiet = flag(request.query as Query, 'quiet');
  const archive = (request.body ?? request.raw) as AsyncIterable<Uint8Array>;
  await streamJson(request, reply, images.load(archive, { quiet }), errorLine);
}

function errorLine(message: string) {
  return { errorDetail: { message }, error: message };
}

async function read(images: ImageEngine, path: string) {
  const match = /^(.+)\/(json|history|get)$/.exec(path);
  const name = match?.[1];
  if (!name) throw new HttpError(404, 'page not found');
  if (match[2] === 'json') return images.inspect(name);
  if (match[2] === 'history') return images.history(name);
  return refuse('saving images');
}

async function change(images: ImageEngine, request: ByName, reply: FastifyReply) {
  const match = /^(.+)\/(tag|push)$/.exec(request.params['*']);
  const name = match?.[1];
  if (!name) throw new HttpError(404, 'page not found');
  if (match[2] === 'push') refuse('pushing images');
  const query = request.query as Query;
  await images.tag(name, text(query, 'repo') ?? '', text(query, 'tag') ?? '');
  return reply.code(201).send();
}
