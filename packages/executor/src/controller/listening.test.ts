import { settle } from '@skep/platform';
import { PortConfig_Protocol, PortConfig_PublishMode } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { makeTask } from '../testing/objects.js';
import { makeContext, setUp } from '../testing/setup.js';
import { listenWaitMs, publishedTargets } from './listening.js';

const NAME = 'web.2.t1';
const { HOST, INGRESS } = PortConfig_PublishMode;
const { TCP, UDP } = PortConfig_Protocol;
const PORTS = [
  { protocol: TCP, targetPort: 80, publishedPort: 8_080, publishMode: HOST },
  { protocol: TCP, targetPort: 80, publishedPort: 8_081, publishMode: INGRESS },
  { protocol: UDP, targetPort: 53, publishedPort: 8_053, publishMode: INGRESS },
  { protocol: TCP, targetPort: 443, publishedPort: 8_443, publishMode: INGRESS },
];
const HEALTH = { healthcheck: { test: ['CMD', 'true'] } };

/** A task with published ports whose program listens when `answer` says so. */
async function starting(spec: Parameters<typeof makeTask>[0] = {}, ports = PORTS, room = setUp()) {
  const asked: unknown[] = [];
  const seen = { answer: (_listens: boolean) => {}, signal: new AbortController().signal };
  room.traffic.listen = (targets, maxMs, signal) => {
    asked.push([...targets, maxMs]);
    seen.signal = signal;
    return new Promise((resolve) => {
      seen.answer = resolve;
    });
  };
  const task = room.controller(makeTask(spec, { endpoint: { ports } }));
  await task.prepare(makeContext());
  const context = makeContext();
  const state = { ended: false, error: '' };
  task.start(context).then(
    () => {
      state.ended = true;
    },
    (error) => {
      state.error = String(error);
    },
  );
  await settle();
  return { ...room, asked, context, seen, state, task };
}

describe('a task with published ports', () => {
  it.each([true, false])('runs once it is known whether it listens (%s)', async (listens) => {
    const { asked, seen, state } = await starting();
    expect(asked).toEqual([[80, 443, 5_000]]);
    expect(state.ended).toBe(false);
    seen.answer(listens);
    await settle();
    expect(state.ended).toBe(true);
  });

  it('is not waited for when it ends, and then says how', async () => {
    const { engine, seen, state, task } = await starting();
    engine.exit(NAME, 3);
    await settle();
    expect(state.ended).toBe(true);
    expect(seen.signal.aborted).toBe(true);
    await expect(task.wait(makeContext())).rejects.toThrow('task: non-zero exit (3)');
  });

  it('is let go of when it is wanted otherwise', async () => {
    const { context, seen, state } = await starting();
    context.abort.abort(new Error('enough'));
    await settle();
    expect(state.error).toContain('enough');
    expect(seen.signal.aborted).toBe(true);
  });

  it('with a health check is not waited for twice', async () => {
    const { asked, engine, state } = await starting(HEALTH);
    engine.setHealth(NAME, 'healthy');
    await settle();
    expect(state.ended).toBe(true);
    expect(asked).toEqual([]);
  });

  it('that is taken up again has what is left of its time', async () => {
    const { engine } = await starting();
    const next = setUp(engine);
    await next.clock.advance(2_000);
    const { asked } = await starting({}, PORTS, next);
    expect(asked).toEqual([[80, 443, 3_000]]);
    expect(engine.find(NAME).starts).toBe(1);
  });

  it('of other protocols alone is not waited for', async () => {
    const { asked, state } = await starting({}, PORTS.slice(2, 3));
    expect(state.ended).toBe(true);
    expect(asked).toEqual([]);
  });
});

it('is reached by each of its ports once, and by none without an endpoint', () => {
  expect(publishedTargets(makeTask({}, { endpoint: { ports: PORTS } }))).toEqual([80, 443]);
  expect(publishedTargets(makeTask({}))).toEqual([]);
});

it.each([
  [0, 5_000],
  [4_990, 10],
  [60_000, 0],
  [-60_000, 5_000],
])('%i ms after its start a container has %i ms left', (passedMs, leftMs) => {
  const startedAt = '2026-11-21T20:00:00.123456789Z';
  expect(listenWaitMs(startedAt, Date.parse('2026-11-21T20:00:00.123Z') + passedMs)).toBe(leftMs);
});
