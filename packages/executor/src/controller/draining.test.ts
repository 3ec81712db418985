import { settle } from '@skep/platform';
import { DRAIN_LABEL, durationFromMs } from '@skep/wire';
import { describe, expect, it } from 'vitest';
import { FakeEngine } from '../testing/fake-engine.js';
import { makeNode, makeTask, published } from '../testing/objects.js';
import { makeContext, setUp } from '../testing/setup.js';
import { drainMaxMs, stopTimeoutSeconds } from './draining.js';

const NAME = 'web.2.t1';

/** A task on an overlay network that runs. */
async function running(labels: Record<string, string> = {}, graceMs = 10_000) {
  const room = setUp();
  await room.executor.configure(makeNode());
  const serviceAnnotations = { name: 'web', labels };
  const spec = { stopGracePeriod: durationFromMs(graceMs) };
  const task = room.controller(makeTask(spec, { ...published, serviceAnnotations }));
  await task.prepare(makeContext());
  await task.start(makeContext());
  room.engine.calls.length = 0;
  return { ...room, task };
}

describe('a task that is stopped', () => {
  it('is withdrawn everywhere, then drained, and only then told to end', async () => {
    const { engine, task, traffic } = await running();
    expect(traffic.active.has('t1')).toBe(true);
    let release = (_left: number) => {};
    let known = () => {};
    traffic.drain = () =>
      new Promise((resolve) => {
        release = resolve;
      });
    const withdraw = traffic.withdraw.bind(traffic);
    traffic.withdraw = async (taskId) => {
      await withdraw(taskId);
      await new Promise<void>((resolve) => {
        known = resolve;
      });
    };
    const stopped = task.shutdown(makeContext());
    await settle();
    expect(engine.calls).toEqual(['withdraw t1']);
    known();
    await settle();
    expect(engine.calls).toEqual(['withdraw t1', 'drain id1 2000']);
    release(0);
    await stopped;
    expect(engine.calls).toEqual(['withdraw t1', 'drain id1 2000', `stop ${NAME} 10`]);
  });

  it('has what draining left of its grace period', async () => {
    const { clock, engine, task, traffic } = await running({ [DRAIN_LABEL]: '7s' });
    traffic.drain = async (maxMs, signal) => {
      await clock.sleep(maxMs, signal);
      return 3;
    };
    const stopped = task.shutdown(makeContext());
    await clock.advance(7_000);
    await stopped;
    expect(engine.calls).toEqual(['withdraw t1', 'drain id1 7000', `stop ${NAME} 3`]);
  });

  it('goes on running when it is let go of while it drains, and drains again later', async () => {
    const { clock, engine, task, traffic } = await running();
    traffic.drain = async (maxMs, signal) => {
      await clock.sleep(maxMs, signal);
      return 0;
    };
    const context = makeContext();
    const stopped = task.shutdown(context);
    const outcome = expect(stopped).rejects.toThrow('let go');
    await settle();
    context.abort.abort(new Error('let go'));
    await outcome;
    expect(engine.find(NAME).status).toBe('running');
    const again = task.shutdown(makeContext());
    await clock.advance(2_000);
    await again;
    expect(engine.find(NAME).status).toBe('exited');
    expect(clock.pendingTimers).toBe(0);
  });

  it('stops at once without an overlay network, and when it does not run', async () => {
    const { controller, engine } = setUp();
    const alone = controller(makeTask({}));
    await alone.prepare(makeContext());
    await alone.start(makeContext());
    await alone.shutdown(makeContext());
    expect(engine.calls.filter((call) => /withdraw|drain/.test(call))).toEqual([]);
    const { engine: other, task } = await running();
    other.exit(NAME, 0);
    await task.shutdown(makeContext());
    expect(other.calls).toEqual([`stop ${NAME} 10`]);
  });
});

describe('a task that fails', () => {
  it('is withdrawn, though nobody waits for that', async () => {
    const { engine, task, traffic } = await running();
    const withdraw = traffic.withdraw.bind(traffic);
    traffic.withdraw = async (taskId) => {
      await withdraw(taskId);
      await new Promise(() => {});
    };
    const waited = task.wait(makeContext());
    const outcome = expect(waited).rejects.toThrow('task: non-zero exit (1)');
    await settle();
    engine.exit(NAME, 1);
    await outcome;
    expect(engine.calls).toEqual(['wait id1', 'withdraw t1']);
  });

  it('by its health check is withdrawn before it is stopped, and not drained', async () => {
    const engine = new FakeEngine();
    const { controller, executor } = setUp(engine);
    await executor.configure(makeNode());
    const healthcheck = { test: ['CMD', 'true'] };
    const task = controller(makeTask({ healthcheck }, published));
    await task.prepare(makeContext());
    const started = task.start(makeContext());
    await settle();
    engine.setHealth(NAME, 'healthy');
    await started;
    engine.calls.length = 0;
    const waited = task.wait(makeContext());
    const outcome = expect(waited).rejects.toThrow('unhealthy container');
    await settle();
    engine.setHealth(NAME, 'unhealthy');
    await outcome;
    expect(engine.calls).toEqual(['wait id1', 'withdraw t1', `stop ${NAME} 10`, 'withdraw t1']);
  });
});

it.each([
  [{}, 10_000, 2_000],
  [{}, 1_000, 1_000],
  [{ [DRAIN_LABEL]: '30s' }, 10_000, 10_000],
  [{ [DRAIN_LABEL]: '500ms' }, 10_000, 500],
  [{ [DRAIN_LABEL]: '0' }, 10_000, 0],
  [{ [DRAIN_LABEL]: '-1s' }, 10_000, 0],
  [{ [DRAIN_LABEL]: 'soon' }, 10_000, 2_000],
])(
  'with labels %j and a grace period of %i ms, connections may last %i ms',
  (labels, grace, ms) => {
    expect(drainMaxMs(labels, grace)).toBe(ms);
  },
);

it.each([
  [10_000, 0, 10],
  [10_000, 240, 10],
  [10_000, 2_010, 8],
  [30_000, 30_000, 1],
  [2_500, 0, 2],
  [500, 500, 0],
  [0, 0, 0],
])('of %i ms, %i ms of draining leave the process %i s', (graceMs, drainedMs, seconds) => {
  expect(stopTimeoutSeconds(graceMs, drainedMs)).toBe(seconds);
});
