import type { ContainerEngine, LogEntry, LogOptions } from '@skep/containers';
import type { FastifyRequest } from 'fastify';
import { HttpError } from '../server/errors.js';
import { flag, instantNs, type Query, text } from '../server/query.js';
import { type Routes, speaks } from '../server/server.js';
import { frame, MULTIPLEXED_STREAM, RAW_STREAM } from '../server/stdcopy.js';
import { clientSignal, startStream, writeChunk } from '../server/stream.js';

type ById = FastifyRequest<{ Params: { id: string } }>;

/** GET /containers/{id}/logs. */
export function logRoutes(engine: ContainerEngine): Routes {
  return (app) => {
    app.get('/containers/:id/logs', async (request: ById, reply) => {
      const query = request.query as Query;
      const options = logOptions(query);
      const { Id, Config } = await engine.inspect(request.params.id);
      const entries = engine.logs(Id, options, clientSignal(reply))[Symbol.asyncIterator]();
      const form = {
        timestamps: flag(query, 'timestamps'),
        details: flag(query, 'details'),
        tty: Config.Tty,
      };
      // The first entry is asked for before the head goes out, so that a driver that cannot be read is an
      // error answer; a follower must not wait for it, though.
      const first = options.follow ? undefined : await entries.next();
      const multiplexed = !Config.Tty && speaks(request, '1.42');
      startStream(request, reply, multiplexed ? MULTIPLEXED_STREAM : RAW_STREAM);
      try {
        for (let item = first ?? (await entries.next()); !item.done; item = await entries.next()) {
          if (reply.raw.destroyed) break;
          await writeChunk(reply, formatEntry(item.value, form));
        }
      } finally {
        await entries.return?.();
        reply.raw.end();
      }
    });
  };
}

function logOptions(query: Query): LogOptions {
  const stdout = flag(query, 'stdout');
  const stderr = flag(query, 'stderr');
  if (!stdout && !stderr) {
    throw new HttpError(400, 'Bad parameters: you must choose at least one stream');
  }
  const options: LogOptions = { stdout, stderr, follow: flag(query, 'follow') };
  const sinceNs = instantNs(query, 'since');
  const untilNs = instantNs(query, 'until');
  const tail = text(query, 'tail');
  if (sinceNs !== undefined) options.sinceNs = sinceNs;
  if (untilNs !== undefined) options.untilNs = untilNs;
  if (tail && tail !== 'all' && /^\d+$/.test(tail)) options.tail = Number(tail);
  return options;
}

const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;

/** RFC 3339 with all nine digits, as log lines carry it. */
export function isoNs(timeNs: bigint): string {
  const whole = new Date(Number(timeNs / NS_PER_MS)).toISOString().slice(0, 19);
  return `${whole}.${(timeNs % NS_PER_S).toString().padStart(9, '0')}Z`;
}

function formatEntry(
  entry: LogEntry,
  form: { timestamps: boolean; details: boolean; tty: boolean },
): Uint8Array {
  let prefix = form.timestamps ? `${isoNs(entry.timeNs)} ` : '';
  if (form.details) prefix += `${formatAttributes(entry.attributes)} `;
  const line = prefix === '' ? entry.line : Buffer.concat([Buffer.from(prefix), entry.line]);
  return form.tty ? line : frame(entry.stream, line);
}

/** `k=v,k=v` sorted by key, each part escaped as in a URL's query. */
export function formatAttributes(attributes: Record<string, string>): string {
  return Object.keys(attributes)
    .sort()
    .map((key) => `${encodeURIComponent(key)}=${encodeURIComponent(attributes[key] ?? '')}`)
    .join(',');
}
