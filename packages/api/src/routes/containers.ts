import type { ContainerEngine, CreateRequest, Filters, WaitCondition } from '@skep/containers';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { HttpError } from '../server/errors.js';
import { filters, flag, integer, type Query, text } from '../server/query.js';
import type { Routes } from '../server/server.js';
import { checkShape } from '../server/shape.js';
import { clientSignal, startStream, writeChunk } from '../server/stream.js';
import { CONTAINER_CREATE } from './bodies.js';
import { refuseUnsupported, refuseUnsupportedConfig } from './unsupported.js';

type ById = FastifyRequest<{ Params: { id: string } }>;

const WAIT_CONDITIONS = ['not-running', 'next-exit', 'removed'];

/** /containers: everything but streams, which are in attach.ts and logs.ts. */
export function containerRoutes(engine: ContainerEngine): Routes {
  return (app) => {
    app.get('/containers/json', (request) => list(engine, request.query as Query));
    app.post('/containers/create', (request, reply) => create(engine, request, reply));
    app.post('/containers/prune', (request) => engine.prune(filters(request.query as Query)));
    app.get('/containers/:id/json', (request: ById) =>
      engine.inspect(request.params.id, { size: flag(request.query as Query, 'size') }),
    );
    app.get('/containers/:id/top', (request: ById) =>
      engine.top(request.params.id, text(request.query as Query, 'ps_args') ?? '-ef'),
    );
    app.get('/containers/:id/stats', (request: ById, reply) => stats(engine, request, reply));
    app.post('/containers/:id/wait', (request: ById, reply) => wait(engine, request, reply));
    app.delete('/containers/:id', async (request: ById, reply) => {
      const query = request.query as Query;
      const options = { force: flag(query, 'force'), volumes: flag(query, 'v') };
      await engine.remove(request.params.id, options);
      return reply.code(204).send();
    });
    lifecycle(app, engine);
  };
}

async function list(engine: ContainerEngine, query: Query) {
  const limit = integer(query, 'limit');
  const wanted: Filters = filters(query);
  return engine.list({
    all: flag(query, 'all') || (limit ?? 0) > 0 || wanted.status !== undefined,
    size: flag(query, 'size'),
    filters: wanted,
    ...(limit !== undefined && limit > 0 ? { limit } : {}),
  });
}

async function create(engine: ContainerEngine, request: FastifyRequest, reply: FastifyReply) {
  if (typeof request.body !== 'object' || request.body === null) {
    throw new HttpError(400, 'invalid JSON: got EOF while reading request body');
  }
  const name = text(request.query as Query, 'name') || undefined;
  const body = { ...request.body } as Record<string, unknown>;
  // Docker takes one word without a list, too.
  for (const field of ['Cmd', 'Entrypoint']) {
    if (typeof body[field] === 'string') body[field] = [body[field]];
  }
  checkShape(
    Array.isArray(request.body) ? request.body : body,
    CONTAINER_CREATE,
    'ContainerConfig',
  );
  refuseUnsupported((body.HostConfig ?? {}) as Record<string, unknown>);
  refuseUnsupportedConfig(body);
  const platform = text(request.query as Query, 'platform');
  delete body['Platform'];
  if (platform) body['Platform'] = platform;
  const created = await engine.create(name, body as CreateRequest);
  return reply.code(201).send(created);
}

function lifecycle(app: FastifyInstance, engine: ContainerEngine): void {
  const act = (action: string, run: (id: string, query: Query) => Promise<unknown>) =>
    app.post(`/containers/:id/${action}`, async (request: ById, reply) => {
      const changed = await run(request.params.id, request.query as Query);
      return reply.code(changed === false ? 304 : 204).send();
    });
  act('start', async (id) => {
    if ((await engine.inspect(id)).State.Running) return false;
    return engine.start(id);
  });
  act('stop', (id, query) => engine.stop(id, stopOptions(query)));
  act('restart', (id, query) => engine.restart(id, stopOptions(query)));
  act('kill', (id, query) => engine.kill(id, text(query, 'signal')));
  act('pause', (id) => engine.pause(id));
  act('unpause', (id) => engine.unpause(id));
  act('rename', (id, query) => engine.rename(id, text(query, 'name') ?? ''));
  app.post('/containers/:id/resize', async (request: ById, reply) => {
    await engine.resize(request.params.id, size(request.query as Query));
    return reply.code(200).send();
  });
}

function stopOptions(query: Query) {
  const timeoutSeconds = integer(query, 't');
  const signal = text(query, 'signal');
  return {
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(signal ? { signal } : {}),
  };
}

/** `h` and `w` of a resize request, in characters. */
export function size(query: Query): { height: number; width: number } {
  return { height: integer(query, 'h') ?? 0, width: integer(query, 'w') ?? 0 };
}

/**
 * The head of the answer goes out before the container ends: `docker run` waits for it to be sure that no
 * exit is missed.
 */
async function wait(engine: ContainerEngine, request: ById, reply: FastifyReply) {
  const condition = text(request.query as Query, 'condition') || 'not-running';
  if (!WAIT_CONDITIONS.includes(condition)) {
    throw new HttpError(400, `invalid condition: "${condition}"`);
  }
  const { Id } = await engine.inspect(request.params.id);
  const result = engine.wait(Id, condition as WaitCondition, clientSignal(reply));
  startStream(request, reply, 'application/json');
  try {
    await writeChunk(reply, JSON.stringify(await result));
  } catch (error) {
    const failed = { StatusCode: 125, Error: { Message: (error as Error).message } };
    await writeChunk(reply, JSON.stringify(failed));
  } finally {
    reply.raw.end();
  }
}

/** How often `docker stats` gets a new sample. */
const STATS_INTERVAL_MS = 1_000;

async function stats(engine: ContainerEngine, request: ById, reply: FastifyReply) {
  const query = request.query as Query;
  const { Id, State } = await engine.inspect(request.params.id);
  if (!flag(query, 'stream', true)) {
    const oneShot = flag(query, 'one-shot');
    const before = oneShot ? undefined : await engine.stats(Id);
    if (before && State.Running) await delay(STATS_INTERVAL_MS);
    return withPrevious(await engine.stats(Id), before);
  }
  const signal = clientSignal(reply);
  startStream(request, reply, 'application/json');
  let previous: Record<string, unknown> | undefined;
  try {
    while (!signal.aborted && !reply.raw.destroyed) {
      const sample = await engine.stats(Id);
      await writeChunk(reply, `${JSON.stringify(withPrevious(sample, previous))}\n`);
      previous = sample;
      await delay(STATS_INTERVAL_MS);
    }
  } catch {
    // The container is gone: the stream ends, as Docker's does.
  } finally {
    reply.raw.end();
  }
}

function withPrevious(sample: Record<string, unknown>, previous?: Record<string, unknown>) {
  if (!previous) return sample;
  return { ...sample, preread: previous.read, precpu_stats: previous.cpu_stats };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
