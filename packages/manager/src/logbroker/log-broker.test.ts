import { create } from '@bufbuild/protobuf';
import { Code } from '@skep/platform';
import {
  type PublishLogsMessage,
  PublishLogsMessageSchema,
  SubscribeLogsRequestSchema,
  type SubscriptionMessage,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { Channel } from './channel.js';
import { MESSAGES_WAITING_MAX } from './limits.js';
import { LogBroker } from './log-broker.js';

async function room() {
  const sim = new SimRoom();
  const broker = new LogBroker(sim.options);
  broker.start();
  const task = (id: string, nodeId: string, state = TaskState.RUNNING) =>
    sim.put('task', taskOf(id, { serviceId: 's', nodeId, status: { state } }));
  return { sim, broker, task };
}

/** A reader of a service's logs. */
function read(broker: LogBroker, follow: boolean) {
  const reader = {
    lines: [] as string[],
    ended: undefined as unknown,
    abort: new AbortController(),
  };
  const request = create(SubscribeLogsRequestSchema, {
    selector: { serviceIds: ['s'] },
    options: { follow },
  });
  const run = async () => {
    for await (const { messages } of broker.subscribeLogs(request, reader.abort.signal)) {
      for (const { data } of messages) reader.lines.push(new TextDecoder().decode(data));
    }
  };
  run().then(
    () => (reader.ended = 'done'),
    (error: unknown) => (reader.ended = error),
  );
  return reader;
}

/** A node that listens for subscriptions. */
function listen(broker: LogBroker, nodeId: string) {
  const heard: SubscriptionMessage[] = [];
  const abort = new AbortController();
  const run = async () => {
    for await (const message of broker.listenSubscriptions(nodeId, abort.signal)) {
      heard.push(message);
    }
  };
  run().catch(() => {});
  return { heard, abort };
}

function line(subscriptionId: string, nodeId: string, text: string): PublishLogsMessage {
  const data = new TextEncoder().encode(text);
  const messages = [{ context: { nodeId, serviceId: 's', taskId: 't' }, data }];
  return create(PublishLogsMessageSchema, { subscriptionId, messages });
}

function closing(subscriptionId: string): PublishLogsMessage {
  return create(PublishLogsMessageSchema, { subscriptionId, close: true });
}

async function* stream(...messages: PublishLogsMessage[]) {
  yield* messages;
}

describe('LogBroker', () => {
  it('ends a reader when all its nodes have sent what they had', async () => {
    const { sim, broker, task } = await room();
    await task('t1', 'n1');
    await task('t2', 'n2');
    await task('t3', 'n3', TaskState.PREPARING);
    const [one, two] = [listen(broker, 'n1'), listen(broker, 'n2')];
    const reader = read(broker, false);
    await sim.settle();
    const id = one.heard[0]?.id ?? '';
    expect(one.heard[0]?.options?.follow).toBe(false);
    await broker.publishLogs('n1', stream(line(id, 'n1', 'a'), line(id, 'n1', 'b'), closing(id)));
    await sim.settle();
    expect(reader.ended).toBeUndefined();
    await broker.publishLogs('n2', stream(line(id, 'n2', 'c'), closing(id)));
    await sim.settle();
    expect(reader).toMatchObject({ lines: ['a', 'b', 'c'], ended: 'done' });
    expect(two.heard.at(-1)).toMatchObject({ id, close: true });
  });

  it('says what is missing, and why', async () => {
    const { sim, broker, task } = await room();
    await task('t1', 'n1');
    await task('t2', 'n2');
    const node = listen(broker, 'n1');
    const reader = read(broker, false);
    await sim.settle();
    await broker.publishLogs('n1', stream(line(node.heard[0]?.id ?? '', 'n1', 'a')));
    await sim.settle();
    expect(reader.lines).toEqual(['a']);
    expect(String(reader.ended)).toMatch(
      'warning: incomplete log stream. some logs could not be retrieved for the following ' +
        'reasons: node n2 is not available, node n1 disconnected unexpectedly',
    );
  });

  it('ends at once when there is nothing to read', async () => {
    const { sim, broker } = await room();
    const reader = read(broker, false);
    await sim.settle();
    expect(reader.ended).toBe('done');
  });

  it('notices a node that goes away while it is waited for', async () => {
    const { sim, broker, task } = await room();
    await task('t1', 'n1');
    const node = listen(broker, 'n1');
    const reader = read(broker, false);
    await sim.settle();
    node.abort.abort();
    await sim.settle();
    expect(String(reader.ended)).toMatch('node n1 disconnected unexpectedly');
  });

  it('follows tasks to nodes they come to, until the reader leaves', async () => {
    const { sim, broker, task } = await room();
    const node = listen(broker, 'n1');
    const reader = read(broker, true);
    await sim.settle();
    expect(node.heard).toEqual([]);
    await task('t1', 'n1', TaskState.ASSIGNED);
    const id = node.heard[0]?.id ?? '';
    await broker.publishLogs('n1', stream(line(id, 'n1', 'a'), closing(id)));
    await sim.settle();
    expect(reader).toMatchObject({ lines: ['a'], ended: undefined });
    reader.abort.abort();
    await sim.settle();
    expect(reader.ended).toBe('done');
    expect(node.heard.at(-1)).toMatchObject({ id, close: true });
    const late = broker.publishLogs('n1', stream(line(id, 'n1', 'b')));
    await expect(late).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });

  it('tells a node that comes later of the readers that follow', async () => {
    const { sim, broker, task } = await room();
    await task('t1', 'n1');
    read(broker, true);
    await sim.settle();
    const node = listen(broker, 'n1');
    await sim.settle();
    expect(node.heard).toHaveLength(1);
  });

  it('refuses logs that a node sends in the name of another', async () => {
    const { sim, broker, task } = await room();
    await task('t1', 'n1');
    const node = listen(broker, 'n1');
    read(broker, true);
    await sim.settle();
    const id = node.heard[0]?.id ?? '';
    const forged = broker.publishLogs('n1', stream(line(id, 'n2', 'a')));
    await expect(forged).rejects.toMatchObject({ code: Code.PERMISSION_DENIED });
  });

  it('refuses a subscription to nothing', async () => {
    const { broker } = await room();
    const { signal } = new AbortController();
    const request = create(SubscribeLogsRequestSchema, { selector: {} });
    const reading = broker.subscribeLogs(request, signal)[Symbol.asyncIterator]().next();
    await expect(reading).rejects.toThrow('log selector must not be empty');
  });

  it('ends everything when it stops', async () => {
    const { sim, broker, task } = await room();
    await task('t1', 'n1');
    const reader = read(broker, true);
    await sim.settle();
    await broker.stop();
    await sim.settle();
    expect(reader.ended).toMatchObject({ code: Code.ABORTED });
  });
});

describe('Channel', () => {
  it('makes writers wait for a slow reader', async () => {
    const { sim } = await room();
    const channel = new Channel<number>(MESSAGES_WAITING_MAX);
    let sent = 0;
    for (let item = 0; item < MESSAGES_WAITING_MAX + 10; item++) {
      void channel.send(item).then(() => sent++);
    }
    await sim.settle();
    expect(sent).toBe(MESSAGES_WAITING_MAX);
    const reader = channel[Symbol.asyncIterator]();
    for (let item = 0; item < 10; item++) expect((await reader.next()).value).toBe(item);
    await sim.settle();
    expect(sent).toBe(MESSAGES_WAITING_MAX + 10);
    channel.close();
    expect(await channel.send(0)).toBe(false);
  });
});
