import type { Duplex } from 'node:stream';
import type { ContainerEngine, ExecRequest, StreamSession } from '@skep/containers';
import type { FastifyRequest } from 'fastify';
import { HttpError } from '../server/errors.js';
import type { HijackRequest } from '../server/hijack.js';
import { flag, type Query } from '../server/query.js';
import type { Routes } from '../server/server.js';
import { checkShape } from '../server/shape.js';
import { frame, MULTIPLEXED_STREAM, RAW_STREAM } from '../server/stdcopy.js';
import { startStream, writeChunk } from '../server/stream.js';
import { compareVersions } from '../server/versions.js';
import { EXEC_CREATE } from './bodies.js';
import { size } from './containers.js';

type ById = FastifyRequest<{ Params: { id: string } }>;

/** Attach and exec: a container's streams over a taken-over connection, or as a plain answer. */
export function attachRoutes(engine: ContainerEngine): Routes {
  return (app, hijack) => {
    hijack.post('/containers/:id/attach', async (request) => {
      const { Config } = await engine.inspect(request.params.id ?? '');
      const session = await engine.attach(request.params.id ?? '', attachOptions(request.query));
      const socket = request.accept(contentType(request.apiVersion, Config.Tty));
      await join(session, socket, Config.Tty);
    });
    app.post('/containers/:id/attach', async (request: ById, reply) => {
      const { Config } = await engine.inspect(request.params.id);
      const options = attachOptions(request.query as Query);
      const session = await engine.attach(request.params.id, { ...options, stdin: false });
      startStream(request, reply, contentType(request.apiVersion, Config.Tty));
      reply.raw.on('close', () => session.detach());
      for await (const { stream, data } of session.output) {
        await writeChunk(reply, Config.Tty ? data : frame(stream, data));
      }
      reply.raw.end();
    });
    app.post('/containers/:id/exec', async (request: ById, reply) => {
      checkShape(request.body, EXEC_CREATE, 'ExecOptions');
      const wanted = request.body as ExecRequest | undefined;
      if (!wanted?.Cmd?.length) throw new HttpError(400, 'No exec command specified');
      return reply.code(201).send(await engine.execCreate(request.params.id, wanted));
    });
    app.get('/exec/:id/json', (request: ById) => engine.execInspect(request.params.id));
    app.post('/exec/:id/resize', async (request: ById, reply) => {
      await engine.execResize(request.params.id, size(request.query as Query));
      return reply.code(200).send();
    });
    hijack.post('/exec/:id/start', (request) => startExec(engine, request));
    app.post('/exec/:id/start', async (request: ById, reply) => {
      const { Detach, Tty } = (request.body ?? {}) as { Detach?: boolean; Tty?: boolean };
      const tty = Tty ?? false;
      const session = await engine.execStart(request.params.id, {
        Detach: Detach ?? false,
        Tty: tty,
      });
      if (!session) return reply.code(200).send();
      startStream(request, reply, contentType(request.apiVersion, tty));
      for await (const { stream, data } of session.output) {
        await writeChunk(reply, tty ? data : frame(stream, data));
      }
      reply.raw.end();
    });
  };
}

async function startExec(engine: ContainerEngine, request: HijackRequest): Promise<void> {
  const tty = request.body.Tty === true;
  const detach = request.body.Detach === true;
  const id = request.params.id ?? '';
  const session = await engine.execStart(id, { Detach: detach, Tty: tty });
  const socket = request.accept(contentType(request.apiVersion, tty));
  if (session) await join(session, socket, tty);
  else socket.end();
}

function attachOptions(query: Query) {
  return {
    stdin: flag(query, 'stdin'),
    stdout: flag(query, 'stdout'),
    stderr: flag(query, 'stderr'),
    logs: flag(query, 'logs'),
    stream: flag(query, 'stream'),
  };
}

/** Until API 1.42 both kinds of stream were called raw. */
function contentType(apiVersion: string, tty: boolean): string {
  return tty || compareVersions(apiVersion, '1.42') < 0 ? RAW_STREAM : MULTIPLEXED_STREAM;
}

/** Carries bytes both ways until the output ends or the client has gone. */
async function join(session: StreamSession, socket: Duplex, tty: boolean): Promise<void> {
  socket.on('close', () => session.detach());
  const input = forwardInput(session, socket).catch(() => session.detach());
  for await (const { stream, data } of session.output) {
    if (socket.destroyed) break;
    if (!socket.write(tty ? data : frame(stream, data))) await drained(socket);
  }
  socket.end();
  await input;
}

async function forwardInput(session: StreamSession, socket: Duplex): Promise<void> {
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    await session.write(chunk as Uint8Array);
  }
  await session.closeInput();
}

function drained(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      socket.off('drain', go);
      socket.off('close', go);
      resolve();
    };
    socket.on('drain', go);
    socket.on('close', go);
  });
}
