import { create } from '@bufbuild/protobuf';
import { Code, RpcError, SimClock, SimRandom, settle, silentLogger } from '@skep/platform';
import { completeObject, type ServiceObject, type TaskObject } from '@skep/wire';
import { AnnotationsSchema, ServiceSchema, TaskSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import type { Commit } from './change.js';
import { SimProposer } from './proposer.sim.js';
import { Store } from './store.js';

function service(id: string, name = id): ServiceObject {
  const object = completeObject('service', create(ServiceSchema, { id }));
  object.spec.annotations = create(AnnotationsSchema, { name });
  return object;
}

function task(id: string, serviceId: string, slot = 1n): TaskObject {
  return completeObject('task', create(TaskSchema, { id, serviceId, slot, nodeId: 'n1' }));
}

function makeStore(automatic = true) {
  const store = new Store({ clock: new SimClock(), random: new SimRandom(1), log: silentLogger });
  const proposer = new SimProposer(store, { automatic });
  store.attach(proposer);
  const commits: Commit[] = [];
  store.subscribe((commit) => commits.push(commit));
  return { store, proposer, commits };
}

describe('Store', () => {
  it('shows a write only once it is committed, with Meta set by the proposer', async () => {
    const { store, proposer, commits } = makeStore(false);
    const written = store.update((tx) => tx.create('service', service('s1', 'web')));
    expect(store.view.get('service', 's1')).toBeUndefined();
    proposer.commit();
    expect((await written).meta.version.index).toBe(0n);
    expect(store.view.named('service', 'WEB')?.meta.createdAt).toBeDefined();
    expect(commits.map((commit) => commit.changes.length)).toEqual([1]);
  });

  it('lets transactions build on what is proposed but not committed', async () => {
    const { store, proposer } = makeStore(false);
    const first = store.update((tx) => tx.create('service', service('s1')));
    const second = store.update((tx) => {
      const seen = tx.get('service', 's1');
      if (!seen) throw new Error('not seen');
      return tx.update('service', { ...seen, pendingDelete: true });
    });
    proposer.commit();
    await first;
    expect((await second).meta.version.index).toBe(1n);
  });

  it('refuses a stale version, a taken name, a second id, a missing object', async () => {
    const { store } = makeStore();
    const old = await store.update((tx) => tx.create('service', service('s1', 'web')));
    await store.update((tx) => tx.update('service', { ...old, pendingDelete: true }));
    const stale = store.update((tx) => tx.update('service', old));
    await expect(stale).rejects.toThrow('update out of sequence');
    const twin = store.update((tx) => tx.create('service', service('s2', 'Web')));
    await expect(twin).rejects.toThrow('name conflicts with an existing object');
    const again = store.update((tx) => tx.create('service', service('s1', 'other')));
    await expect(again).rejects.toThrow('already exists');
    const missing = store.update((tx) => tx.remove('task', 't9'));
    await expect(missing).rejects.toThrow('does not exist');
  });

  it('undoes a transaction that throws, indexes included', async () => {
    const { store, proposer } = makeStore();
    await store.update((tx) => tx.create('task', task('t1', 's1')));
    const failed = store.update((tx) => {
      tx.remove('task', 't1');
      tx.create('task', task('t2', 's1'));
      throw new Error('changed my mind');
    });
    await expect(failed).rejects.toThrow('changed my mind');
    expect(proposer.entries).toHaveLength(1);
    const ids = await store.update((tx) =>
      tx
        .slotsOfService('s1')
        .get(1n)
        ?.map(({ id }) => id),
    );
    expect(ids).toEqual(['t1']);
  });

  it('falls back to what is committed when the outcome is lost', async () => {
    const { store, proposer } = makeStore(false);
    const lost = store.update((tx) => tx.create('service', service('s1')));
    proposer.lose(new Error('leadership lost'));
    await expect(lost).rejects.toThrow('outcome of the write is unknown: leadership lost');
    const fresh = store.update((tx) => tx.create('service', service('s1')));
    proposer.commit();
    await fresh;
    expect(store.view.count('service')).toBe(1);
  });

  it('refuses a write that the log refuses, and leaves nothing of it', async () => {
    const { store, proposer } = makeStore();
    proposer.refuse(new Error('no space left on device'));
    const refused = store.update((tx) => tx.create('service', service('s1')));
    await expect(refused).rejects.toThrow('no space left');
    proposer.refuse(undefined);
    await store.update((tx) => tx.create('service', service('s1')));
    expect(store.view.count('service')).toBe(1);
  });

  it('reaches the same state by applying the log of another manager', async () => {
    const leader = makeStore();
    await leader.store.update((tx) => {
      tx.create('service', service('s1', 'web'));
      tx.create('task', task('t1', 's1'));
    });
    await leader.store.update((tx) => tx.remove('task', 't1'));
    const follower = makeStore();
    leader.proposer.entries.forEach((entry, at) => {
      follower.store.apply(BigInt(at + 1), entry);
    });
    expect([...follower.store.snapshot()]).toEqual([...leader.store.snapshot()]);
    expect(follower.commits).toHaveLength(2);
  });

  it('drops a whole entry when one of its actions does not fit', async () => {
    const leader = makeStore();
    await leader.store.update((tx) => tx.create('service', service('s1', 'web')));
    await leader.store.update((tx) => {
      tx.create('task', task('t1', 's1'));
      tx.remove('service', 's1');
    });
    const follower = makeStore();
    const second = leader.proposer.entries[1] ?? new Uint8Array();
    follower.store.apply(2n, second); // its service s1 was never created here
    expect(follower.store.view.count('task')).toBe(0);
  });

  it('restores a snapshot and tells listeners what changed', async () => {
    const source = makeStore();
    await source.store.update((tx) => tx.create('service', service('s1', 'web')));
    const target = makeStore();
    await target.store.update((tx) => tx.create('service', service('s9', 'gone')));
    target.store.restore(Buffer.concat([...source.store.snapshot()]));
    await settle();
    const kinds = target.commits.at(-1)?.changes.map(({ kind, object }) => `${kind} ${object.id}`);
    expect(kinds).toEqual(['create s1', 'remove s9']);
    expect(target.store.view.named('service', 'web')?.id).toBe('s1');
  });

  it('skips no item of a batch that the log refuses: the caller is told', async () => {
    const { store, proposer } = makeStore();
    proposer.refuse(new RpcError(Code.RESOURCE_EXHAUSTED, 'no space left on device'));
    const ids = ['a', 'b'];
    const written = store.batch(ids, (tx, id) => void tx.create('service', service(id)));
    await expect(written).rejects.toThrow('no space left on device');
    proposer.refuse(undefined);
    await store.batch(ids, (tx, id) => void tx.create('service', service(id)));
    expect(store.view.count('service')).toBe(2);
  });

  it('skips one bad item of a batch and writes the others', async () => {
    const { store } = makeStore();
    await store.update((tx) => tx.create('service', service('s3')));
    const ids = ['s1', 's2', 's3', 's4', 's5'];
    await store.batch(ids, (tx, id) => void tx.create('service', service(id)));
    expect(store.view.count('service')).toBe(5);
  });
});
