import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import {
  SelectBySchema,
  TaskState,
  WatchActionKind,
  type WatchMessage,
  WatchRequestSchema,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { failure, SimControl } from '../control/fixture.sim.js';
import { StoreWatch } from './watch-service.js';

async function next(iterator: AsyncIterator<WatchMessage>): Promise<WatchMessage> {
  const { value, done } = await iterator.next();
  if (done) throw new Error('the watch has ended');
  return value;
}

function start(sim: SimControl, request: object, limit?: number) {
  const abort = new AbortController();
  const watch = new StoreWatch(sim.store, limit);
  const messages = watch.watch(create(WatchRequestSchema, request), abort.signal);
  return { iterator: messages[Symbol.asyncIterator](), abort };
}

describe('StoreWatch', () => {
  it('begins with an empty message and then tells of every change, old objects too', async () => {
    const sim = new SimControl();
    const entries = [{ kind: 'service' }];
    const { iterator, abort } = start(sim, { entries, includeOldObject: true });
    expect((await next(iterator)).events).toEqual([]);
    await sim.put('node', { id: 'n' });
    const made = await sim.put('service', { id: 's', spec: { annotations: { name: 'a' } } });
    const event = (await next(iterator)).events[0];
    expect(event?.action).toBe(WatchActionKind.WATCH_ACTION_CREATE);
    expect(event?.object?.object).toMatchObject({ case: 'service', value: { id: 's' } });
    await sim.store.update((tx) => tx.update('service', { ...made, pendingDelete: true }));
    const changed = await next(iterator);
    expect(changed.events[0]?.oldObject?.object.value).toMatchObject({ pendingDelete: false });
    expect(changed.version?.index).toBe(3n);
    await sim.store.update((tx) => tx.remove('service', 's'));
    expect((await next(iterator)).events[0]?.action).toBe(WatchActionKind.WATCH_ACTION_REMOVE);
    abort.abort();
    expect((await iterator.next()).done).toBe(true);
  });

  it('tells only of what actions and filters pick', async () => {
    const sim = new SimControl();
    const filters = [
      create(SelectBySchema, { by: { case: 'serviceId', value: 'web' } }),
      create(SelectBySchema, { by: { case: 'desiredState', value: TaskState.RUNNING } }),
    ];
    const action = WatchActionKind.WATCH_ACTION_CREATE;
    const { iterator } = start(sim, { entries: [{ kind: 'task', action, filters }] });
    await next(iterator);
    const desiredState = TaskState.RUNNING;
    await sim.put('task', { id: 'a', serviceId: 'db', desiredState });
    await sim.put('task', { id: 'b', serviceId: 'web' });
    const task = await sim.put('task', { id: 'c', serviceId: 'web', desiredState });
    await sim.store.update((tx) => tx.update('task', { ...task, nodeId: 'n' }));
    await sim.put('task', { id: 'd', serviceId: 'web', desiredState });
    const ids = [await next(iterator), await next(iterator)].map(
      ({ events }) => events[0]?.object?.object.value?.id,
    );
    expect(ids).toEqual(['c', 'd']);
    await iterator.return?.();
  });

  it('tells of secrets and configs as users know them, whatever versions they have', async () => {
    const sim = new SimControl();
    const { iterator } = start(sim, { entries: [{ kind: 'config' }] });
    await next(iterator);
    const put = (id: string, name: string) =>
      sim.put('config', { id, spec: { annotations: { name } } });
    const remove = (id: string) => sim.store.update((tx) => tx.remove('config', id));
    await put('c1', 'conf');
    await put('c2', 'conf@2');
    await remove('c1');
    await remove('c2');
    const told = [await next(iterator), await next(iterator), await next(iterator)].map(
      ({ events: [event] }) => {
        const object = event?.object?.object;
        const name = object?.case === 'config' ? object.value.spec?.annotations?.name : '';
        return [event?.action, object?.value?.id, name];
      },
    );
    expect(told).toEqual([
      [WatchActionKind.WATCH_ACTION_CREATE, 'c1', 'conf'],
      [WatchActionKind.WATCH_ACTION_UPDATE, 'c2', 'conf'],
      [WatchActionKind.WATCH_ACTION_REMOVE, 'c2', 'conf'],
    ]);
    await iterator.return?.();
  });

  it('fails a watcher that falls too far behind', async () => {
    const sim = new SimControl();
    const { iterator } = start(sim, { entries: [{ kind: 'node' }] }, 2);
    await next(iterator);
    for (const id of ['a', 'b', 'c']) await sim.put('node', { id });
    expect(await failure(iterator.next())).toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
  });

  it('refuses kinds it does not know and versions it no longer has', async () => {
    const sim = new SimControl();
    const kind = start(sim, { entries: [{ kind: 'pod' }] });
    expect(await failure(kind.iterator.next())).toMatchObject({
      message: 'unrecognized object kind pod',
    });
    const resume = start(sim, { resumeFrom: { index: 3n } });
    expect((await failure(resume.iterator.next())).code).toBe(Code.UNIMPLEMENTED);
  });
});
