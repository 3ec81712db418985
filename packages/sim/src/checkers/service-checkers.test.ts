import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { completeObject, type ServiceObject, type TaskObject } from '@skep/wire';
import {
  ConfigSchema,
  UpdateConfig_FailureAction as FailureAction,
  NodeSchema,
  NodeStatus_State,
  ServiceSchema,
  TaskSchema,
  TaskState,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigChecker } from './configs.js';
import { JobChecker } from './jobs.js';
import { UpdateChecker } from './updates.js';

const { COMPLETE, NEW, READY, RUNNING, SHUTDOWN } = TaskState;

interface TaskInit extends Partial<Pick<TaskObject, 'desiredState' | 'meta' | 'nodeId' | 'slot'>> {
  state?: TaskState;
  /** Of a job. */
  run?: bigint;
  image?: string;
}

/** A store whose commits go to what is tested. */
class Told {
  readonly store: Store;

  constructor() {
    const options = { clock: new SimClock(), random: new SimRandom(1), log: silentLogger };
    this.store = new Store(options);
    this.store.attach(new SimProposer(this.store));
  }

  task(id: string, { image = 'web:1', run, state = NEW, ...init }: TaskInit): Promise<TaskObject> {
    const whole = create(TaskSchema, {
      ...{ id, serviceId: 's', desiredState: COMPLETE, status: { state } },
      ...(run !== undefined && { jobIteration: { index: run } }),
      spec: { runtime: { case: 'container', value: { image } } },
    });
    const task = { ...completeObject('task', whole), ...init };
    return this.store.update((tx) => {
      const stored = tx.get('task', id);
      return stored ? tx.update('task', { ...task, meta: stored.meta }) : tx.create('task', task);
    });
  }

  service(init: MessageInitShape<typeof ServiceSchema>): Promise<ServiceObject> {
    const service = completeObject('service', create(ServiceSchema, { id: 's', ...init }));
    return this.store.update((tx) => {
      const stored = tx.get('service', 's');
      if (!stored) return tx.create('service', service);
      return tx.update('service', { ...service, meta: stored.meta });
    });
  }
}

describe('JobChecker', () => {
  let told: Told;
  const endedWell = new Set<string>();
  let wrong: unknown;

  const taskOf = (id: string, slot: bigint, init: TaskInit = {}) =>
    told.task(id, { slot, run: 1n, ...init });

  beforeEach(async () => {
    told = new Told();
    endedWell.clear();
    wrong = undefined;
    const checker = new JobChecker('m1', (id) => endedWell.has(id));
    told.store.subscribe((commit) => {
      try {
        checker.commit(commit, told.store.view);
      } catch (error) {
        wrong ??= error;
      }
    });
    const value = { totalCompletions: 4n, maxConcurrent: 2n };
    const spec = { annotations: { name: 's' }, mode: { case: 'replicatedJob', value } } as const;
    await told.service({ spec, jobStatus: { jobIteration: { index: 1n } } });
  });

  it('lets a job do what it should, run after run', async () => {
    endedWell.add('a');
    await taskOf('a', 0n);
    await taskOf('b', 1n, { run: 0n });
    await taskOf('c', 1n);
    await taskOf('a', 0n, { state: COMPLETE });
    await taskOf('d', 2n);
    await taskOf('e', 0n, { run: 2n });
    expect(wrong).toBeUndefined();
  });

  it('finds more tasks at a time than allowed, and two in one place', async () => {
    await taskOf('a', 0n);
    await taskOf('b', 1n);
    await taskOf('c', 2n, { desiredState: SHUTDOWN });
    expect(wrong).toBeUndefined();
    await taskOf('d', 3n);
    expect(String(wrong)).toContain('job-concurrent');
    wrong = undefined;
    await taskOf('e', 0n);
    expect(String(wrong)).toContain('job-place-once');
  });

  it('finds what is told to be done and is not', async () => {
    await taskOf('a', 0n);
    await taskOf('a', 0n, { state: COMPLETE });
    expect(String(wrong)).toContain('job-done');
  });

  it('finds work in a place that is done: new, or held back and let go', async () => {
    endedWell.add('a');
    await taskOf('a', 0n, { desiredState: SHUTDOWN });
    await taskOf('b', 0n, { desiredState: READY });
    await taskOf('a', 0n, { desiredState: SHUTDOWN, state: COMPLETE });
    expect(wrong).toBeUndefined();
    await taskOf('b', 0n);
    expect(String(wrong)).toContain('job-once');
    await taskOf('b', 0n, { desiredState: SHUTDOWN });
    wrong = undefined;
    await taskOf('c', 0n);
    expect(String(wrong)).toContain('job-once');
  });
});

describe('UpdateChecker', () => {
  const { COMPLETED, PAUSED, ROLLBACK_STARTED, UPDATING } = UpdateState;
  let told: Told;
  let wrong: unknown;
  const spec = (failureAction: FailureAction) => ({
    annotations: { name: 's' },
    task: { runtime: { case: 'container' as const, value: { image: 'web:1' } } },
    update: { failureAction },
  });

  beforeEach(() => {
    told = new Told();
    wrong = undefined;
    const checker = new UpdateChecker('m1');
    told.store.subscribe((commit) => {
      try {
        checker.commit(commit, told.store.view);
      } catch (error) {
        wrong ??= error;
      }
    });
  });

  async function goes(action: FailureAction, ...states: UpdateState[]): Promise<unknown> {
    wrong = undefined;
    const before = { spec: spec(action), previousSpec: spec(action) };
    await told.service(before);
    for (const state of states) await told.service({ ...before, updateStatus: { state } });
    return wrong;
  }

  it('lets an update stop as its failure action says, and not otherwise', async () => {
    const { CONTINUE, PAUSE, ROLLBACK } = FailureAction;
    expect(await goes(CONTINUE, UPDATING, COMPLETED)).toBeUndefined();
    expect(await goes(PAUSE, UPDATING, PAUSED)).toBeUndefined();
    expect(await goes(ROLLBACK, UPDATING, ROLLBACK_STARTED)).toBeUndefined();
    expect(String(await goes(CONTINUE, UPDATING, PAUSED))).toContain('update-state');
    expect(String(await goes(PAUSE, UPDATING, ROLLBACK_STARTED))).toContain('update-state');
    expect(String(await goes(PAUSE, COMPLETED))).toContain('update-state');
  });

  it('finds a task of another spec when an update is told to be completed', async () => {
    const status = { state: NodeStatus_State.READY };
    const node = completeObject('node', create(NodeSchema, { id: 'n', status }));
    await told.store.update((tx) => tx.create('node', node));
    await told.task('a', { nodeId: 'n', desiredState: RUNNING, image: 'web:0' });
    const completed = goes(FailureAction.PAUSE, UPDATING, COMPLETED);
    expect(String(await completed)).toContain('update-complete');
  });
});

describe('ConfigChecker', () => {
  let told: Told;
  let wrong: unknown;
  const reading = (configId: string) => ({
    annotations: { name: 's' },
    task: { runtime: { case: 'container' as const, value: { configs: [{ configId }] } } },
  });
  const configOf = (id: string, data = 'a') => {
    const spec = { annotations: { name: id }, data: Buffer.from(data) };
    return completeObject('config', create(ConfigSchema, { id, spec }));
  };

  beforeEach(async () => {
    told = new Told();
    wrong = undefined;
    const checker = new ConfigChecker('m1');
    told.store.subscribe((commit) => {
      try {
        checker.commit(commit, told.store.view);
      } catch (error) {
        wrong ??= error;
      }
    });
    await told.store.update((tx) => {
      for (const id of ['c1', 'c2', 'c3']) tx.create('config', configOf(id));
    });
  });

  it('lets go what nobody has, and nothing else', async () => {
    await told.service({ spec: reading('c1'), previousSpec: reading('c2') });
    await told.store.update((tx) => tx.remove('config', 'c3'));
    expect(wrong).toBeUndefined();
    await told.store.update((tx) => tx.remove('config', 'c2'));
    expect(String(wrong)).toContain('config-kept');
    wrong = undefined;
    await told.store.update((tx) => tx.remove('config', 'c1'));
    expect(String(wrong)).toContain('config-kept');
  });

  it('finds data that changes', async () => {
    await told.store.update((tx) => {
      tx.update('config', { ...tx.get('config', 'c1')!, spec: configOf('c1', 'b').spec });
    });
    expect(String(wrong)).toContain('config-stays');
  });
});
