import { create } from '@bufbuild/protobuf';
import { SimDisk, settle } from '@skep/platform';
import { TaskState, VersionSchema } from '@skep/wire/swarmkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TaskExitError, TemporaryError } from './task-errors.js';
import { makeAssignments, makeTask } from './testing/objects.js';
import { setUpWorker } from './testing/setup.js';

const complete = (...ids: string[]) =>
  makeAssignments({ complete: true, put: ids.map((id) => ({ task: makeTask(id) })) });
const wanted = (id: string, desired: TaskState) =>
  makeAssignments({ put: [{ task: makeTask(id, { desired }) }] });

describe('Worker', () => {
  it('says in a status what is unusual about how a task came to run', async () => {
    const { worker, of } = await setUpWorker();
    const task = makeTask('t1');
    task.serviceAnnotations.labels['remark'] = 'by foot';
    await worker.apply(makeAssignments({ complete: true, put: [{ task }] }));
    await settle();
    expect(of('t1').at(-1)?.message).toBe('started (by foot)');
    await worker.stop();
  });

  it('walks a task to RUNNING with the messages people know', async () => {
    const { worker, executor, of } = await setUpWorker();
    await worker.apply(complete('t1'));
    await settle();
    expect(of('t1').map((status) => status.message)).toEqual([
      'accepted',
      'preparing',
      'prepared',
      'starting',
      'started',
    ]);
    expect(of('t1').at(-1)?.runtimeStatus.value?.containerId).toBe('c-t1');
    expect(executor.of('t1').calls).toEqual(['prepare', 'start', 'wait']);
    await worker.stop();
  });

  it('holds a task at READY until it is wanted running', async () => {
    const { worker, of, executor } = await setUpWorker();
    await worker.apply(wanted('t1', TaskState.READY));
    await settle();
    expect(of('t1').at(-1)?.state).toBe(TaskState.READY);
    await worker.apply(wanted('t1', TaskState.RUNNING));
    await settle();
    expect(of('t1').at(-1)?.state).toBe(TaskState.RUNNING);
    expect(executor.of('t1').calls).toEqual(['prepare', 'update', 'start', 'wait']);
    await worker.stop();
  });

  it('tells what users should know of a task for as long as it runs', async () => {
    const { worker, executor, of } = await setUpWorker();
    await worker.apply(wanted('t1', TaskState.READY));
    await settle();
    executor.of('t1').warned = 'port 80 hides another program';
    await worker.apply(wanted('t1', TaskState.RUNNING));
    await settle();
    executor.of('t1').finish('wait');
    await settle();
    const [running, ended] = of('t1').slice(-2);
    const err = 'port 80 hides another program';
    expect(running).toMatchObject({ state: TaskState.RUNNING, message: 'started', err });
    expect(ended).toMatchObject({ state: TaskState.COMPLETE, err: '' });
    await worker.stop();
  });

  it('tells the exit code of a container that ended', async () => {
    const { worker, executor, of } = await setUpWorker();
    await worker.apply(complete('t1', 't2'));
    await settle();
    executor.of('t1').fail('wait', new TaskExitError(137, 'dockerexec: unhealthy container'));
    executor.of('t2').finish('wait');
    await settle();
    expect(of('t1').at(-1)).toMatchObject({
      state: TaskState.FAILED,
      message: 'started',
      err: 'task: non-zero exit (137): dockerexec: unhealthy container',
    });
    expect(of('t2').at(-1)).toMatchObject({ state: TaskState.COMPLETE, message: 'finished' });
    await worker.stop();
  });

  it('rejects a task that cannot be prepared, or not even be run here', async () => {
    const { worker, executor, of } = await setUpWorker();
    executor.onController = (controller) => {
      controller.failures.prepare = [new Error('No such image: nothing:latest')];
    };
    executor.refuse = (task) => (task.id === 't2' ? 'no plugins here' : undefined);
    await worker.apply(complete('t1', 't2'));
    await settle();
    expect(of('t1').at(-1)).toMatchObject({
      state: TaskState.REJECTED,
      message: 'preparing',
      err: 'No such image: nothing:latest',
    });
    expect(of('t2').at(-1)).toMatchObject({ state: TaskState.REJECTED, err: 'no plugins here' });
    await worker.stop();
  });

  it('tries again after a temporary error, a second later', async () => {
    const { worker, executor, of, clock } = await setUpWorker();
    executor.onController = (controller) => {
      controller.failures.prepare = [new TemporaryError('not yet'), new TemporaryError('not yet')];
    };
    await worker.apply(complete('t1'));
    await clock.advance(1_999);
    expect(executor.of('t1').count('prepare')).toBe(2);
    expect(of('t1').at(-1)?.state).toBe(TaskState.PREPARING);
    await clock.advance(1);
    expect(of('t1').at(-1)?.state).toBe(TaskState.RUNNING);
    await worker.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('cancels what a new desired state makes pointless, then shuts down', async () => {
    const { worker, executor, of } = await setUpWorker();
    executor.onController = (controller) => controller.held.add('prepare');
    await worker.apply(complete('t1'));
    await settle();
    await worker.apply(wanted('t1', TaskState.SHUTDOWN));
    await settle();
    expect(executor.of('t1').calls).toEqual(['prepare', 'update', 'shutdown']);
    expect(of('t1').at(-1)).toMatchObject({ state: TaskState.SHUTDOWN, message: 'shutdown' });
    await worker.stop();
  });

  it('keeps its own status and ignores a desired state that goes back', async () => {
    const { worker, of } = await setUpWorker();
    await worker.apply(wanted('t1', TaskState.SHUTDOWN));
    await settle();
    await worker.apply(wanted('t1', TaskState.RUNNING));
    await settle();
    expect(of('t1').map((status) => status.state)).toEqual([TaskState.SHUTDOWN]);
    await worker.stop();
  });

  it('removes the containers of tasks that are no longer assigned', async () => {
    const { worker, executor, clock } = await setUpWorker();
    await worker.apply(complete('t1', 't2', 't3'));
    await settle();
    executor.of('t2').failures.remove = [new Error('busy')];
    await worker.apply(makeAssignments({ remove: [{ task: makeTask('t1') }] }));
    await worker.apply(complete('t3'));
    await clock.advance(1_000);
    expect(executor.of('t1').count('remove')).toBe(1);
    expect(executor.of('t2').count('remove')).toBe(2);
    expect(executor.of('t2').closed).toBe(true);
    expect(executor.of('t3').count('remove')).toBe(0);
    await worker.stop();
  });

  it('does no more engine work at once than it may', async () => {
    const { worker, executor } = await setUpWorker(new SimDisk(), { engineOperationsMax: 3 });
    executor.onController = (controller) => controller.held.add('prepare');
    const ids = Array.from({ length: 10 }, (_, index) => `t${index}`);
    await worker.apply(complete(...ids));
    await settle();
    const preparing = ids.filter((id) => executor.of(id).running > 0);
    expect(preparing).toEqual(['t0', 't1', 't2']);
    executor.of('t1').finish('prepare');
    await settle();
    expect(executor.of('t3').running).toBe(1);
    await worker.stop();
  });

  it('starts what it has prepared before it prepares others', async () => {
    const { worker, executor } = await setUpWorker(new SimDisk(), { engineOperationsMax: 1 });
    executor.onController = (controller) => controller.held.add('prepare').add('start');
    await worker.apply(complete('t1', 't2', 't3'));
    await settle();
    for (const id of ['t1', 't2']) {
      executor.of(id).finish('prepare');
      await settle();
    }
    const calls = () => ['t1', 't2', 't3'].map((id) => executor.of(id).calls);
    expect(calls()).toEqual([['prepare', 'start'], ['prepare'], []]);
    executor.of('t1').finish('start');
    await settle();
    expect(calls()).toEqual([['prepare', 'start', 'wait'], ['prepare', 'start'], []]);
    await worker.stop();
  });
});

describe('dependencies of a task', () => {
  it('are not yet there before the first complete set, and missing after it', async () => {
    const { worker, executor } = await setUpWorker();
    await worker.apply(wanted('t1', TaskState.RUNNING));
    const { dependencies } = executor.of('t1');
    expect(() => dependencies.secret('s1')).toThrow(TemporaryError);
    const put = [{ task: makeTask('t1') }, { secret: 's1' }, { config: 'c1.t1' }, { config: 'c1' }];
    await worker.apply(makeAssignments({ complete: true, put }));
    expect(dependencies.secret('s1').id).toBe('s1');
    expect(dependencies.config('c1').id).toBe('c1.t1');
    await worker.apply(makeAssignments({ remove: [{ secret: 's1' }] }));
    expect(() => dependencies.secret('s1')).toThrow('secret s1 not found');
    expect(() => dependencies.secret('s1')).not.toThrow(TemporaryError);
    await worker.stop();
  });
});

describe('Worker after a restart', () => {
  it('has on disk every task that may have a container', async () => {
    const { worker, executor, log } = await setUpWorker();
    let write = () => {};
    const written = new Promise<void>((resolve) => {
      write = resolve;
    });
    log.flushed = () => written;
    const applied = worker.apply(complete('t1'));
    await settle();
    expect(executor.controllers.size).toBe(0);
    write();
    await applied;
    expect(executor.controllers.size).toBe(1);
    await worker.stop();
  });

  it("has on disk that a job's task was told to stop: its end is not the work's", async () => {
    const { worker, executor, log } = await setUpWorker();
    const job = (desired: TaskState) => {
      const task = makeTask('t1', { desired });
      task.jobIteration = create(VersionSchema, { index: 1n });
      return makeAssignments({ put: [{ task }] });
    };
    await worker.apply(job(TaskState.COMPLETE));
    await settle();
    let sync = () => {};
    const synced = new Promise<void>((resolve) => {
      sync = resolve;
    });
    log.synced = () => synced;
    const applied = worker.apply(job(TaskState.SHUTDOWN));
    await settle();
    expect(log.tasks.get('t1')?.desiredState).toBe(TaskState.SHUTDOWN);
    expect(executor.of('t1').calls).toEqual(['prepare', 'start', 'wait']);
    sync();
    await applied;
    await settle();
    expect(executor.of('t1').calls).toContain('shutdown');
    await worker.stop();
  });

  it('takes up its tasks without a manager and starts none twice', async () => {
    const first = await setUpWorker();
    await first.worker.apply(complete('t1', 't2', 't3'));
    await settle();
    first.executor.of('t3').finish('wait');
    await settle();
    await first.worker.apply(makeAssignments({ remove: [{ task: makeTask('t2') }] }));
    await settle(); // and nothing is stopped: this is kill -9
    const second = await setUpWorker(first.disk);
    await second.worker.restore();
    await settle();
    expect(second.executor.restored).toEqual([['t1', 't3']]);
    expect(second.executor.of('t1').calls).toEqual(['wait']);
    expect(second.executor.of('t3').calls).toEqual([]);
    expect(second.statuses).toEqual([]);
    second.executor.of('t1').fail('wait', new TaskExitError(3));
    await settle();
    expect(second.of('t1').at(-1)?.err).toBe('task: non-zero exit (3)');
    await second.worker.apply(complete('t1', 't3'));
    await settle();
    expect(second.of('t1')).toHaveLength(1);
    await second.worker.stop();
    await first.worker.stop();
  });
});

type Turn =
  | { kind: 'want'; task: number; desired: TaskState }
  | { kind: 'remove'; task: number }
  | { kind: 'end'; task: number; operation: 'prepare' | 'start' | 'wait'; fail: boolean }
  | { kind: 'time' }
  | { kind: 'restart' };

const task = fc.nat({ max: 2 });
const turns: fc.Arbitrary<Turn> = fc.oneof(
  fc.record({
    kind: fc.constant('want' as const),
    task,
    desired: fc.constantFrom(TaskState.READY, TaskState.RUNNING, TaskState.SHUTDOWN),
  }),
  fc.record({ kind: fc.constant('remove' as const), task }),
  fc.record({
    kind: fc.constant('end' as const),
    task,
    operation: fc.constantFrom('prepare' as const, 'start' as const, 'wait' as const),
    fail: fc.boolean(),
  }),
  fc.constant({ kind: 'time' as const }),
  fc.constant({ kind: 'restart' as const }),
);

type Setup = Awaited<ReturnType<typeof setUpWorker>>;

async function open(disk: SimDisk): Promise<Setup> {
  const setup = await setUpWorker(disk);
  setup.executor.onController = (controller) => {
    controller.held = new Set(['prepare', 'start', 'wait']);
    controller.failures.prepare = [new TemporaryError('not yet')];
  };
  await setup.worker.restore();
  return setup;
}

async function take(setup: Setup, turn: Turn): Promise<Setup> {
  const { worker, executor, clock, disk } = setup;
  if (turn.kind === 'want') await worker.apply(wanted(`t${turn.task}`, turn.desired));
  if (turn.kind === 'remove') {
    await worker.apply(makeAssignments({ remove: [{ task: makeTask(`t${turn.task}`) }] }));
  }
  if (turn.kind === 'end') {
    const controller = executor.controllers.get(`t${turn.task}`)?.at(-1);
    if (turn.fail) controller?.fail(turn.operation, new Error('broken'));
    else controller?.finish(turn.operation);
  }
  if (turn.kind === 'time') await clock.advance(1_000);
  await settle();
  if (turn.kind !== 'restart') return setup;
  await worker.stop();
  await setup.log.close();
  return open(disk);
}

/** Checks all statuses of one run of the process; `floor` is where earlier runs left each task. */
function check(setup: Setup, floor: Map<string, TaskState>): void {
  for (const { taskId, status } of setup.statuses) {
    expect(status.state).toBeGreaterThan(floor.get(taskId) ?? TaskState.ASSIGNED);
    floor.set(taskId, status.state);
  }
  setup.statuses.length = 0;
  for (const controllers of setup.executor.controllers.values()) {
    for (const controller of controllers) expect(controller.running).toBeLessThanOrEqual(1);
  }
}

describe('Worker under any order of events', () => {
  it('moves tasks only forward, one operation at a time', async () => {
    const property = fc.asyncProperty(fc.array(turns, { maxLength: 25 }), async (sequence) => {
      let setup = await open(new SimDisk());
      const floor = new Map<string, TaskState>();
      for (const turn of sequence) {
        const next = await take(setup, turn);
        check(setup, floor);
        setup = next;
        // A removed task that is assigned again begins anew.
        if (turn.kind === 'remove') floor.delete(`t${turn.task}`);
      }
      await setup.worker.stop();
    });
    await fc.assert(property, { numRuns: 60 });
  });
});
