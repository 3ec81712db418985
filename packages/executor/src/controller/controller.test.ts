import { TaskExitError, type TaskLogEntry, TemporaryError } from '@skep/agent';
import { Code, RpcError, settle } from '@skep/platform';
import { durationFromMs } from '@skep/wire';
import { Mount_Type, PortConfig_PublishMode } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { makeNode, makeTask, published } from '../testing/objects.js';
import { makeContext, setUp } from '../testing/setup.js';

const NAME = 'web.2.t1';
const checked = { healthcheck: { test: ['CMD', 'true'] } };

/** Whether a promise has settled, and how. */
function watch<T>(promise: Promise<T>) {
  const seen: { done: boolean; error: unknown } = { done: false, error: undefined };
  promise.then(
    () => {
      seen.done = true;
    },
    (error) => {
      seen.error = error;
    },
  );
  return seen;
}

describe('a container controller', () => {
  it('prepares, starts, waits and tells the container', async () => {
    const { controller, engine } = setUp();
    const task = controller(makeTask({}));
    await task.prepare(makeContext());
    expect(task.containerStatus()).toMatchObject({ containerId: 'id1', pid: 0 });
    await task.start(makeContext());
    expect(task.containerStatus()).toMatchObject({ containerId: 'id1', pid: 42 });
    const waited = watch(task.wait(makeContext()));
    await settle();
    expect(waited.done).toBe(false);
    engine.exit(NAME, 3);
    await settle();
    expect(waited.error).toBeInstanceOf(TaskExitError);
    expect(String(waited.error)).toContain('task: non-zero exit (3)');
    expect(task.containerStatus()).toMatchObject({ pid: 0, exitCode: 3 });
  });

  it('tells what a container printed last that failed, in one line that can be shown', async () => {
    const { controller, engine } = setUp();
    const task = controller(makeTask({}));
    await task.prepare(makeContext());
    await task.start(makeContext());
    const print = (text: string) => {
      const line = Buffer.from(`${text}\n`);
      engine.logged.push({ stream: 'stderr', timeNs: 1n, line, attributes: {} });
    };
    for (const text of ['first', `\u001b[31mno\tdatabase${'!'.repeat(300)}`, ' \t']) print(text);
    const waited = watch(task.wait(makeContext()));
    await settle();
    expect(task.containerStatus()?.lastLine).toBe('');
    engine.exit(NAME, 3);
    await settle();
    expect(waited.error).toBeInstanceOf(TaskExitError);
    expect(task.containerStatus()?.lastLine).toMatch(/^no database!{189}…$/);
  });

  it('rejects what has no image, after having tried to pull it', async () => {
    const { controller, engine, images } = setUp();
    images.registry = () => images.refuse('manifest unknown');
    engine.failures['create'] = [new RpcError(Code.NOT_FOUND, 'No such image: nginx:latest')];
    const task = controller(makeTask({}));
    await expect(task.prepare(makeContext())).rejects.toThrow('No such image: nginx:latest');
    expect(images.pulls).toHaveLength(1);
    expect(engine.calls).toEqual([`create ${NAME}`]);
  });

  it('takes up a container that is there, whatever state it is in', async () => {
    const { controller, engine } = setUp();
    const first = controller(makeTask({}));
    await first.prepare(makeContext());
    await first.start(makeContext());
    const second = setUp(engine).controller(makeTask({}));
    await second.prepare(makeContext());
    await second.start(makeContext());
    expect(engine.find(NAME).starts).toBe(1);
    engine.exit(NAME, 9);
    const third = setUp(engine).controller(makeTask({}));
    await third.start(makeContext());
    await expect(third.wait(makeContext())).rejects.toThrow('task: non-zero exit (9)');
    expect(engine.find(NAME).starts).toBe(1);
  });

  it('ends a task whose container vanished, but not one whose engine is away', async () => {
    const { controller, engine } = setUp();
    const task = controller(makeTask({}));
    await expect(task.wait(makeContext())).rejects.toThrow(`No such container: ${NAME}`);
    await task.prepare(makeContext());
    engine.failures['start'] = [new RpcError(Code.UNAVAILABLE, 'containerd is restarting')];
    await expect(task.start(makeContext())).rejects.toThrow(TemporaryError);
    engine.failures['start'] = [new RpcError(Code.UNKNOWN, 'exec: "nope": not found')];
    await expect(task.start(makeContext())).rejects.toThrow(
      'starting container failed: exec: "nope": not found',
    );
  });

  it('checks bind sources on this node when it starts', async () => {
    const { controller, disk } = setUp();
    const mounts = [{ type: Mount_Type.BIND, source: '/data', target: '/data' }];
    const task = controller(makeTask({ mounts }));
    await task.prepare(makeContext());
    await expect(task.start(makeContext())).rejects.toThrow(
      'invalid bind mount source, source path not found: /data',
    );
    await disk.makeDirectory('/data');
    await task.start(makeContext());
  });

  it('stops within the grace period, kills when told, removes with anonymous volumes', async () => {
    const { controller, engine } = setUp();
    const task = controller(makeTask({ stopGracePeriod: durationFromMs(2_500) }));
    await task.shutdown(makeContext()); // there is nothing yet, which is no error
    await task.prepare(makeContext());
    await task.start(makeContext());
    await task.shutdown(makeContext());
    await task.terminate(makeContext());
    await task.remove(makeContext());
    await task.remove(makeContext());
    expect(engine.calls.slice(-4)).toEqual([
      `stop ${NAME} 2`,
      `stop ${NAME} 0`,
      `remove ${NAME} true true`,
      `remove ${NAME} true true`,
    ]);
  });

  it('tells host-mode ports once they are bound', async () => {
    const { controller } = setUp();
    const publishMode = PortConfig_PublishMode.HOST;
    const endpoint = { ports: [{ targetPort: 80, publishedPort: 8081, publishMode }] };
    const task = controller(makeTask({}, { endpoint }));
    await task.prepare(makeContext());
    expect(task.portStatus()).toBeUndefined();
    await task.start(makeContext());
    expect(task.portStatus()?.ports).toMatchObject([
      { targetPort: 80, publishedPort: 8081, publishMode },
    ]);
  });
});

it('a task says which other programs its ports hide', async () => {
  const { controller, traffic } = setUp();
  const task = controller(makeTask({}));
  expect(task.warning?.()).toBe('');
  traffic.hidden = ['port 1 hides a', 'port 2 hides b'];
  expect(task.warning?.()).toBe('port 1 hides a; port 2 hides b');
});

describe('a task with a health check', () => {
  it('is started only when it is healthy', async () => {
    const { controller, engine } = setUp();
    const task = controller(makeTask(checked));
    await task.prepare(makeContext());
    const started = watch(task.start(makeContext()));
    await settle();
    expect(started.done).toBe(false);
    engine.setHealth(NAME, 'healthy');
    await settle();
    expect(started.done).toBe(true);
  });

  it('is stopped and fails when it is unhealthy, at the start or later', async () => {
    const { controller, engine } = setUp();
    const task = controller(makeTask(checked));
    await task.prepare(makeContext());
    const started = watch(task.start(makeContext()));
    await settle();
    engine.setHealth(NAME, 'unhealthy');
    await settle();
    const text = 'task: non-zero exit (143): dockerexec: unhealthy container';
    expect(String(started.error)).toContain(text);
    await engine.start(NAME);
    engine.find(NAME).health = 'healthy';
    const waited = watch(task.wait(makeContext()));
    await settle();
    engine.setHealth(NAME, 'unhealthy');
    await settle();
    expect(String(waited.error)).toContain(text);
    expect(engine.calls.filter((call) => call.startsWith('stop'))).toHaveLength(2);
  });

  it('fails when it exits before it is healthy, and is let go when cancelled', async () => {
    const { controller, engine } = setUp();
    const task = controller(makeTask(checked));
    await task.prepare(makeContext());
    const context = makeContext();
    const started = watch(task.start(context));
    await settle();
    context.abort.abort(new Error('cancelled'));
    await settle();
    expect(String(started.error)).toContain('cancelled');
    const again = watch(task.start(makeContext()));
    await settle();
    engine.exit(NAME, 1);
    await settle();
    expect(String(again.error)).toContain('task: non-zero exit (1)');
    expect(engine.find(NAME).starts).toBe(1);
  });
});

describe('a task with published ports', () => {
  it('waits for the address of its node, and takes connections while it runs', async () => {
    const { controller, engine, executor, networks, traffic } = setUp();
    const task = controller(makeTask({}, published));
    const prepared = watch(task.prepare(makeContext()));
    await settle();
    expect(prepared.done).toBe(false);
    await executor.configure(makeNode());
    await settle();
    expect(prepared.done).toBe(true);
    expect(networks.configured[0]?.attachments).toMatchObject([
      { id: 'net1', nodeAddress: '10.0.0.2/24', ingress: true },
    ]);
    expect(traffic.active.size).toBe(0);
    await task.start(makeContext());
    expect(traffic.active.get('t1')).toMatchObject({ id: 't1', serviceId: 's1' });
    expect(engine.find(NAME).extras?.endpoints[0]).toMatchObject({ ingress: true });
    await task.shutdown(makeContext());
    expect(traffic.active.size).toBe(0);
  });

  it('is rejected when the node gets no address', async () => {
    const { clock, controller } = setUp();
    const prepared = watch(controller(makeTask({}, published)).prepare(makeContext()));
    await clock.advance(30_000);
    expect(String(prepared.error)).toContain('node is missing network attachments');
    expect(clock.pendingTimers).toBe(0);
  });

  it('is published again after a restart, and withdrawn when its container ends', async () => {
    const { controller, engine, executor } = setUp();
    await executor.configure(makeNode());
    const task = controller(makeTask({}, published));
    await task.prepare(makeContext());
    await task.start(makeContext());
    const after = setUp(engine);
    const waited = watch(after.controller(makeTask({}, published)).wait(makeContext()));
    await settle();
    expect(after.traffic.active.size).toBe(1);
    engine.exit(NAME, 0);
    await settle();
    expect(waited.done).toBe(true);
    expect(after.traffic.active.size).toBe(0);
  });
});

describe('the log of a task', () => {
  const options = { stdout: true, stderr: true, follow: false };

  it('is empty without a container, and waited for when it is followed', async () => {
    const { controller, engine } = setUp();
    engine.logged.push({ stream: 'stdout', timeNs: 1n, line: Buffer.from('x\n'), attributes: {} });
    const task = controller(makeTask({}));
    const read = async (follow: boolean) => {
      const entries: TaskLogEntry[] = [];
      const { signal } = makeContext();
      for await (const entry of task.logs({ ...options, follow }, signal)) entries.push(entry);
      return entries;
    };
    expect(await read(false)).toEqual([]);
    const followed = read(true);
    await task.prepare(makeContext());
    await task.start(makeContext());
    expect(await followed).toMatchObject([{ stream: 'stdout', timeNs: 1n }]);
  });
});
