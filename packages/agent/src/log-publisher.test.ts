import { create } from '@bufbuild/protobuf';
import { SimClock, settle, silentLogger } from '@skep/platform';
import { type PublishLogsMessage, SubscriptionMessageSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from './limits.js';
import { tailLines } from './log-options.js';
import { LogPublisher, type PublishLogs } from './log-publisher.js';
import { FakeController } from './testing/fake-executor.js';
import { makeTask } from './testing/objects.js';

interface Fields {
  services?: string[];
  follow?: boolean;
  tail?: bigint;
  close?: boolean;
}

function subscription(id: string, fields: Fields = {}) {
  return create(SubscriptionMessageSchema, {
    id,
    close: fields.close ?? false,
    selector: { serviceIds: fields.services ?? ['service1'] },
    options: { follow: fields.follow ?? false, tail: fields.tail ?? 0n },
  });
}

function source(taskId: string, lines: string[], serviceId = 'service1') {
  const task = makeTask(taskId, { serviceId });
  const controller = new FakeController(task, {} as never);
  controller.entries = lines.map((line, index) => ({
    stream: index % 2 === 0 ? ('stdout' as const) : ('stderr' as const),
    timeNs: 1_700_000_000_000_000_001n + BigInt(index),
    data: Buffer.from(line),
    attributes: { label: 'x' },
  }));
  return { task, controller };
}

function setUp(limits = DEFAULT_LIMITS) {
  const clock = new SimClock();
  const sources: ReturnType<typeof source>[] = [];
  const published: PublishLogsMessage[] = [];
  const publisher = new LogPublisher({
    clock,
    logger: silentLogger,
    limits,
    sources: () => sources,
  });
  const publish: PublishLogs = async (messages) => {
    for await (const message of messages) published.push(message);
  };
  const lines = () =>
    published.flatMap((one) => one.messages).map((one) => Buffer.from(one.data).toString());
  return { clock, sources, published, publisher, publish, lines };
}

describe('LogPublisher', () => {
  it('publishes the logs of the tasks meant, and closes', async () => {
    const { sources, published, publisher, publish, lines } = setUp();
    sources.push(source('t1', ['one\n', 'two\n']), source('t2', ['other\n'], 'service2'));
    publisher.handle(subscription('s1', { tail: -11n }), publish);
    await settle();
    expect(lines()).toEqual(['one\n', 'two\n']);
    expect(published.at(-1)).toMatchObject({ subscriptionId: 's1', close: true });
    expect(published.flatMap((one) => one.messages)[1]).toMatchObject({
      context: { serviceId: 'service1', nodeId: 'node1', taskId: 't1' },
      timestamp: { seconds: 1_700_000_000n, nanos: 2 },
      stream: 2,
      attrs: [{ key: 'label', value: 'x' }],
    });
    expect(sources[0]?.controller.logOptions[0]).toMatchObject({ tail: 10, stdout: true });
  });

  it('follows until it is told to stop, and takes in tasks that appear', async () => {
    const { sources, published, publisher, publish, lines } = setUp();
    sources.push(source('t1', ['one\n']));
    publisher.handle(subscription('s1', { follow: true }), publish);
    await settle();
    publisher.taskAdded(source('t2', ['late\n']));
    publisher.taskAdded(source('t3', ['foreign\n'], 'service2'));
    await settle();
    expect(lines()).toEqual(['one\n', 'late\n']);
    expect(published.some((message) => message.close)).toBe(false);
    publisher.handle(subscription('s1', { close: true }), publish);
    await settle();
    expect(published.at(-1)?.close).toBe(true);
  });

  it('makes readers wait for a slow manager, losing nothing', async () => {
    const { sources, publisher, lines, published } = setUp({
      ...DEFAULT_LIMITS,
      logMessagesWaitingMax: 2,
      logBatchMax: 1,
    });
    const all = Array.from({ length: 20 }, (_, index) => `${index}\n`);
    sources.push(source('t1', all));
    const slow: PublishLogs = async (messages) => {
      for await (const message of messages) {
        published.push(message);
        await settle();
      }
    };
    publisher.handle(subscription('s1'), slow);
    for (let round = 0; round < 50; round++) await settle();
    expect(lines()).toEqual(all);
  });

  it('keeps to its rate after a first second of it', async () => {
    const limits = { ...DEFAULT_LIMITS, logBatchMax: 1, logBytesPerSecondMax: 10 };
    const { clock, sources, publisher, publish, lines } = setUp(limits);
    sources.push(source('t1', ['0123456789', '0123456789', '0123456789', '0123456789']));
    publisher.handle(subscription('s1'), publish);
    await settle();
    expect(lines()).toHaveLength(2);
    await clock.advance(999);
    expect(lines()).toHaveLength(2);
    await clock.advance(1);
    expect(lines()).toHaveLength(3);
    await clock.advance(1_000);
    expect(lines()).toHaveLength(4);
  });

  it('closes at once what it cannot answer, and what is too many', async () => {
    const { sources, published, publisher, publish } = setUp({
      ...DEFAULT_LIMITS,
      logSubscriptionsMax: 1,
    });
    sources.push(source('t1', ['one\n']));
    publisher.handle(subscription('bad', { tail: 3n }), publish);
    publisher.handle(subscription('first', { follow: true }), publish);
    publisher.handle(subscription('second', { follow: true }), publish);
    await settle();
    const closed = published.filter((message) => message.close).map((one) => one.subscriptionId);
    expect(closed).toEqual(['bad', 'second']);
    publisher.closeAll();
  });

  it('takes a call that ends badly for ended, and minds that only before all is said', async () => {
    const lines: string[] = [];
    const logger = { ...silentLogger, info: (_: object, text: string) => lines.push(text) };
    const publisher = new LogPublisher({
      clock: new SimClock(),
      logger,
      limits: DEFAULT_LIMITS,
      sources: () => [source('t1', ['one\n'])],
    });
    publisher.handle(subscription('s1'), async (messages) => {
      for await (const _ of messages);
      throw new Error('no message received');
    });
    await settle();
    expect(lines).toEqual([]);
    publisher.handle(subscription('s2', { follow: true }), async () => {
      throw new Error('the connection broke');
    });
    await settle();
    expect(lines).toEqual(['publishing logs ended']);
  });

  it('reads the tail as SwarmKit writes it', () => {
    expect(tailLines(0n)).toBeUndefined();
    expect(tailLines(-1n)).toBe(0);
    expect(tailLines(-101n)).toBe(100);
    expect(() => tailLines(1n)).toThrow('tail relative to start of logs not supported');
  });
});
