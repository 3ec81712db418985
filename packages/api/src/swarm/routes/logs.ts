import { create } from '@bufbuild/protobuf';
import { TimestampSchema } from '@bufbuild/protobuf/wkt';
import type { Control } from '@skep/manager';
import {
  type LogSelector,
  LogSelectorSchema,
  LogStream,
  type LogSubscriptionOptions,
  LogSubscriptionOptionsSchema,
  SubscribeLogsRequestSchema,
  type TaskSpec,
} from '@skep/wire/swarmkit';
import type { FastifyReply } from 'fastify';
import { HttpError } from '../../server/errors.js';
import { flag, instantNs, type Query, text } from '../../server/query.js';
import { type Routes, speaks } from '../../server/server.js';
import { MULTIPLEXED_STREAM, RAW_STREAM } from '../../server/stdcopy.js';
import { clientSignal, startStream, writeChunk } from '../../server/stream.js';
import { type LogForm, logErrorChunk, logMessageChunk } from '../log-lines.js';
import { findService, findTask } from '../lookup.js';
import { type ById, manager, type SwarmDependencies } from './dependencies.js';

interface Subject {
  selector: LogSelector;
  tty: boolean;
}

/** GET /services/{id}/logs and /tasks/{id}/logs. */
export function serviceLogRoutes(deps: SwarmDependencies): Routes {
  return (app) => {
    app.get('/services/:id/logs', (request: ById, reply) =>
      stream(deps, request, reply, serviceSubject),
    );
    app.get('/tasks/:id/logs', (request: ById, reply) => stream(deps, request, reply, taskSubject));
  };
}

async function serviceSubject(control: Control, input: string): Promise<Subject> {
  const { id, spec } = await findService(control, input);
  return {
    selector: create(LogSelectorSchema, { serviceIds: [id] }),
    tty: hasTerminal(spec?.task),
  };
}

async function taskSubject(control: Control, input: string): Promise<Subject> {
  const { id, spec } = await findTask(control, input);
  return { selector: create(LogSelectorSchema, { taskIds: [id] }), tty: hasTerminal(spec) };
}

function hasTerminal(spec: TaskSpec | undefined): boolean {
  if (spec?.runtime.case !== 'container') {
    throw new HttpError(500, 'logs only supported on container tasks');
  }
  return spec.runtime.value.tty;
}

/** Everything that can be refused is looked at before the head goes out; after that errors are log lines. */
async function stream(
  deps: SwarmDependencies,
  request: ById,
  reply: FastifyReply,
  findSubject: (control: Control, input: string) => Promise<Subject>,
): Promise<void> {
  const query = request.query as Query;
  const options = subscriptionOptions(query);
  const { selector, tty } = await findSubject(manager(deps), request.params.id);
  const subscription = create(SubscribeLogsRequestSchema, { selector, options });
  const logs = deps.node.logs();
  const form: LogForm = {
    details: flag(query, 'details'),
    timestamps: flag(query, 'timestamps'),
    framed: !tty,
  };
  const multiplexed = !tty && speaks(request, '1.42');
  const signal = clientSignal(reply);
  startStream(request, reply, multiplexed ? MULTIPLEXED_STREAM : RAW_STREAM);
  try {
    for await (const { messages } of logs.subscribeLogs(subscription, signal)) {
      for (const message of messages) await writeChunk(reply, logMessageChunk(message, form));
    }
  } catch (error) {
    if (!signal.aborted) await writeChunk(reply, logErrorChunk(error, form));
  } finally {
    reply.raw.end();
  }
}

function subscriptionOptions(query: Query): LogSubscriptionOptions {
  const streams: LogStream[] = [];
  if (flag(query, 'stdout')) streams.push(LogStream.STDOUT);
  if (flag(query, 'stderr')) streams.push(LogStream.STDERR);
  if (streams.length === 0) {
    throw new HttpError(500, 'Bad parameters: you must choose at least one stream');
  }
  return create(LogSubscriptionOptionsSchema, {
    streams,
    follow: flag(query, 'follow'),
    tail: tailOf(text(query, 'tail') ?? ''),
    since: sinceOf(query),
  });
}

/** SwarmKit counts back from the end: -1 is no line, -(n + 1) the last n, and 0 all. */
function tailOf(value: string): bigint {
  if (value === '' || value === 'all') return 0n;
  if (!/^[+-]?\d+$/.test(value)) {
    throw new HttpError(500, 'tail value must be a positive integer or "all"');
  }
  const lines = BigInt(value);
  if (lines < 0n) throw new HttpError(500, 'negative tail values not supported');
  return -(lines + 1n);
}

const NS_PER_S = 1_000_000_000n;

function sinceOf(query: Query) {
  const ns = instantNs(query, 'since');
  if (ns === undefined) return undefined;
  return create(TimestampSchema, { seconds: ns / NS_PER_S, nanos: Number(ns % NS_PER_S) });
}
