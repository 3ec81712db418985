import type { FastifyReply, FastifyRequest } from 'fastify';
import { EVENT_FILTERS, eventPasses } from '../events/filter.js';
import type { ApiEvent, EventHub } from '../events/hub.js';
import { filters, instantNs, type Query } from '../server/query.js';
import type { Routes } from '../server/server.js';
import { clientSignal, startStream, writeChunk } from '../server/stream.js';

const NS_PER_S = 1_000_000_000n;
const NS_PER_MS = 1_000_000n;

/** GET /events. */
export function eventRoutes(hub: EventHub): Routes {
  return (app) => {
    app.get('/events', (request, reply) => stream(hub, request, reply));
  };
}

async function stream(hub: EventHub, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const query = request.query as Query;
  const wanted = filters(query, EVENT_FILTERS);
  const sinceNs = instantNs(query, 'since');
  const untilNs = instantNs(query, 'until');
  const stop = new AbortController();
  const gone = clientSignal(reply);
  gone.addEventListener('abort', () => stop.abort());
  const events = hub.open(sinceNs ?? (untilNs === undefined ? undefined : 0n), stop.signal);
  const timer = untilNs === undefined ? undefined : endAt(untilNs, stop);
  startStream(request, reply, 'application/json');
  try {
    for await (const event of events) {
      if (untilNs !== undefined && event.timeNano > untilNs) break;
      if (eventPasses(event, wanted)) await writeChunk(reply, `${eventJson(event)}\n`);
    }
  } finally {
    clearTimeout(timer);
    stop.abort();
    reply.raw.end();
  }
}

/** Longest delay a timer takes. */
const TIMER_MS_MAX = 2 ** 31 - 1;

function endAt(untilNs: bigint, stop: AbortController): NodeJS.Timeout {
  const leftMs = Number(untilNs / NS_PER_MS) - Date.now();
  return setTimeout(() => stop.abort(), Math.min(Math.max(0, leftMs), TIMER_MS_MAX));
}

/** The JSON of an event. `timeNano` is past what a JSON number of JavaScript holds, so it is put in as text. */
export function eventJson(event: ApiEvent): string {
  const { Type, Action, Actor, scope, timeNano } = event;
  const old =
    Type === 'container' || Type === 'image'
      ? { status: Action, id: Actor.ID, from: Actor.Attributes.image }
      : {};
  const json = JSON.stringify({ ...old, Type, Action, Actor, scope });
  return `${json.slice(0, -1)},"time":${timeNano / NS_PER_S},"timeNano":${timeNano}}`;
}
