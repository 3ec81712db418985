import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { type Change, SimProposer, Store } from '@skep/store';
import { completeObject, type TaskObject } from '@skep/wire';
import { ConfigSchema, TaskSchema, TaskState } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkSlots, PlaceChecker, TaskForwardChecker } from './tasks.js';
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

describe('checkSlots', () => {
  const running = (id: string, init: Place = {}) =>
    taskOf(id, { status: { state: RUNNING }, ...init });

  it('lets one task run in a slot, and others come and go', () => {
    const leaving = running('b', { desiredState: SHUTDOWN });
    const failed = taskOf('c', { status: { state: FAILED } });
    checkSlots([running('a'), leaving, failed, running('d', { slot: 2n })]);
    checkSlots([running('a', { serviceId: '' }), running('b', { serviceId: '' })]);
    expect(() => checkSlots([running('a'), running('b')])).toThrow('slot-once: a and b');
  });

  it('takes a node for the slot of a global service', () => {
    const at = (id: string, nodeId: string) => running(id, { slot: 0n, nodeId });
    checkSlots([at('a', 'n1'), at('b', 'n2')]);
    expect(() => checkSlots([at('a', 'n1'), at('b', 'n1')])).toThrow('slot-once');
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
