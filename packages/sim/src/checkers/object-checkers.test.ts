import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { type Change, SimProposer, Store } from '@skep/store';
import { completeObject, type TaskObject } from '@skep/wire';
import {
  ConfigSchema,
  NodeSchema,
  NodeSpec_Availability,
  ServiceSchema,
  TaskSchema,
  TaskState,
  type UpdateConfigSchema,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { PlaceChecker, SlotChecker, TaskForwardChecker } from './tasks.js';
import { WatchChecker } from './watch.js';

const { ASSIGNED, RUNNING, SHUTDOWN, FAILED } = TaskState;

function configOf(id: string) {
  const spec = { annotations: { name: id } };
  return completeObject('config', create(ConfigSchema, { id, spec }));
}

function taskOf(id: string, init: MessageInitShape<typeof TaskSchema> = {}): TaskObject {
  const whole = { id, serviceId: 's', slot: 1n, desiredState: RUNNING, ...init };
  return completeObject('task', create(TaskSchema, whole));
}

describe('WatchChecker', () => {
  let store: Store;
  let checker: WatchChecker;
  let commits: { index: bigint; changes: readonly Change[] }[];

  beforeEach(async () => {
    const options = { clock: new SimClock(), random: new SimRandom(1), log: silentLogger };
    store = new Store(options);
    store.attach(new SimProposer(store));
    checker = new WatchChecker('m1');
    commits = [];
    store.subscribe((commit) => commits.push(commit));
    await store.update((tx) => tx.create('config', configOf('a')));
    await store.update((tx) => {
      const first = tx.get('config', 'a')!;
      tx.update('config', tx.update('config', first));
      tx.create('config', configOf('b'));
    });
    await store.update((tx) => tx.remove('config', 'b'));
  });

  it('takes a feed as the store gives it, snapshots included', () => {
    for (const commit of commits) checker.commit(commit);
    checker.check(store.view);
    store.subscribe((commit) => checker.commit(commit));
    store.restore(Buffer.concat([...store.snapshot()]));
    checker.check(store.view);
  });

  it('finds what is left out, repeated or out of order', () => {
    const [first, second, third] = commits as [never, never, never];
    checker.commit(first);
    expect(() => checker.commit(third)).toThrow('watch-gapless');
    expect(() => checker.commit(first)).toThrow('watch-order');
    expect(() => checker.check(store.view)).toThrow('watch-gapless');
    expect(() => new WatchChecker('m2').commit(second)).toThrow('watch-gapless');
  });

  it('finds a feed that goes back in time', () => {
    for (const commit of commits) checker.commit(commit);
    const before = store.view.get('config', 'a')!;
    const object = commits[0]!.changes[0]!.object as typeof before;
    const change: Change = { kind: 'update', table: 'config', object, before };
    expect(() => checker.commit({ index: 9n, changes: [change] })).toThrow('watch-forward');
  });
});

describe('TaskForwardChecker', () => {
  const change = (before: TaskObject, object: TaskObject): Change => {
    return { kind: 'update', table: 'task', before, object };
  };
  const check = (before: TaskObject, object: TaskObject) =>
    new TaskForwardChecker('m1').commit({ index: 1n, changes: [change(before, object)] });
  const inState = (state: TaskState) => taskOf('t', { status: { state }, nodeId: 'n' });

  it('lets states and wishes only go forward', () => {
    check(inState(ASSIGNED), inState(RUNNING));
    check(inState(RUNNING), inState(RUNNING));
    expect(() => check(inState(RUNNING), inState(ASSIGNED))).toThrow('task-forward');
    const wished = (desiredState: TaskState) => taskOf('t', { desiredState });
    check(wished(RUNNING), wished(SHUTDOWN));
    expect(() => check(wished(SHUTDOWN), wished(RUNNING))).toThrow('task-forward');
  });

  it('keeps a task where it was put', () => {
    check(taskOf('t'), taskOf('t', { nodeId: 'n1' }));
    const moved = () => check(taskOf('t', { nodeId: 'n1' }), taskOf('t', { nodeId: 'n2' }));
    expect(moved).toThrow('task-stays');
  });
});

interface Place {
  serviceId?: string;
  slot?: bigint;
  nodeId?: string;
  desiredState?: TaskState;
}

describe('SlotChecker', () => {
  const running = (id: string, init: Place = {}) =>
    taskOf(id, { status: { state: RUNNING }, ...init });
  const nodeOf = (id: string, availability: NodeSpec_Availability) =>
    completeObject('node', create(NodeSchema, { id, spec: { availability } }));
  let store: Store;
  let checker: SlotChecker;

  beforeEach(async () => {
    const options = { clock: new SimClock(), random: new SimRandom(1), log: silentLogger };
    store = new Store(options);
    store.attach(new SimProposer(store));
    checker = new SlotChecker();
    await store.update((tx) => tx.create('service', serviceOf({})));
  });

  function serviceOf(update: MessageInitShape<typeof UpdateConfigSchema>) {
    const init = { id: 's', spec: { annotations: { name: 's' }, update, rollback: update } };
    return completeObject('service', create(ServiceSchema, init));
  }

  async function check(...tasks: TaskObject[]): Promise<void> {
    await store.update((tx) => {
      for (const { id } of [...tx.all('task')]) tx.remove('task', id);
      for (const task of tasks) tx.create('task', task);
    });
    checker.check(store.view);
  }

  it('lets one task run in a slot, and others come and go', async () => {
    const leaving = running('b', { desiredState: SHUTDOWN });
    const failed = taskOf('c', { status: { state: FAILED } });
    await check(running('a'), leaving, failed, running('d', { slot: 2n }));
    await check(running('a', { serviceId: '' }), running('b', { serviceId: '' }));
    await expect(check(running('a'), running('b'))).rejects.toThrow('slot-once');
  });

  it('lets as many slots have two as are updated at a time, where the new one starts first', async () => {
    const update = { order: UpdateOrder.START_FIRST, parallelism: 1n };
    await store.update((tx) => {
      tx.remove('service', 's');
      tx.create('service', serviceOf(update));
    });
    const other = (id: string) => running(id, { slot: 2n });
    await check(running('a'), running('b'), other('c'));
    const two = [running('a'), running('b'), other('c'), other('d')];
    await expect(check(...two)).rejects.toThrow('slot-once: c and d');
    await expect(check(running('a'), running('b'), running('e'))).rejects.toThrow('slot-once');
  });

  it('takes a node for the slot of a global service', async () => {
    const at = (id: string, nodeId: string) => running(id, { slot: 0n, nodeId });
    await check(at('a', 'n1'), at('b', 'n2'));
    await expect(check(at('a', 'n1'), at('b', 'n1'))).rejects.toThrow('slot-once');
  });

  it('lets a task on a drained node hand over to one other, also when the node returns', async () => {
    const { DRAIN, ACTIVE } = NodeSpec_Availability;
    const [a, b, c] = [running('a', { nodeId: 'n1' }), running('b'), running('c')];
    await store.update((tx) => tx.create('node', nodeOf('n1', DRAIN)));
    await check(a, b);
    await store.update((tx) => {
      const node = tx.get('node', 'n1')!;
      tx.update('node', { ...node, spec: { ...node.spec, availability: ACTIVE } });
    });
    await check(a, b);
    await expect(check(a, b, c)).rejects.toThrow('slot-once: b and c');
  });
});

describe('PlaceChecker', () => {
  it('finds a task that starts elsewhere', () => {
    const places = new PlaceChecker();
    places.started('t', 'm1');
    places.started('t', 'm1');
    expect(() => places.started('t', 'm2')).toThrow('task-stays');
  });
});
