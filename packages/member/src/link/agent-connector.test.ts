import { create, type DescMethod } from '@bufbuild/protobuf';
import { BoundedQueue, Code, RpcError, SimClock, settle } from '@skep/platform';
import type { CallOptions, Channel, DialOptions, Requests } from '@skep/rpc';
import {
  AssignmentsRequestSchema,
  HeartbeatRequestSchema,
  PublishLogsMessageSchema,
  type SessionMessage,
  SessionMessageSchema,
  SessionRequestSchema,
  UpdateTaskStatusRequestSchema,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { AgentConnector } from './agent-connector.js';
import { channelLink } from './channel-link.js';
import { CONNECTION_PATIENCE_MS } from './limits.js';

const MANAGER = { nodeId: 'm1', address: '10.0.0.1:2377' };

/** A channel that records its calls; the messages of its one stream are a test's. */
class FakeChannel implements Channel {
  readonly address = MANAGER.address;
  readonly calls: { name: string; options: CallOptions }[] = [];
  readonly messages = new BoundedQueue<SessionMessage>(10);
  readonly published: unknown[] = [];
  isClosed = false;

  unary = async (method: DescMethod, _request: unknown, options: CallOptions = {}) => {
    this.#record(method, options);
    return create(method.output) as never;
  };
  serverStream = (method: DescMethod, _request: unknown, options: CallOptions = {}) => {
    this.#record(method, options);
    return this.messages as never;
  };
  clientStream = async (
    method: DescMethod,
    requests: Requests<unknown>,
    options: CallOptions = {},
  ) => {
    this.#record(method, options);
    for await (const request of requests) this.published.push(request);
    return create(method.output) as never;
  };

  exchange = (method: DescMethod, options: CallOptions = {}) => {
    this.#record(method, options);
    return Promise.reject(new RpcError(Code.UNIMPLEMENTED, 'a manager of another kind'));
  };

  tell: (isUp: boolean) => void = () => undefined;
  onConnection = (listener: (isUp: boolean) => void) => {
    this.tell = listener;
    return () => undefined;
  };

  close(): void {
    this.isClosed = true;
    this.messages.end(new RpcError(Code.CANCELED, 'the channel was closed'));
  }

  #record(method: DescMethod, options: CallOptions): void {
    this.calls.push({ name: `${method.parent.name}/${method.name}`, options });
  }
}

const request = create(SessionRequestSchema, { sessionId: '' });
const message = (sessionId: string) => create(SessionMessageSchema, { sessionId });

describe('channelLink', () => {
  it("calls the manager's services with their time limits", async () => {
    const channel = new FakeChannel();
    const link = channelLink(channel, new SimClock());
    const { signal } = new AbortController();
    link.session(request, signal);
    await link.heartbeat(create(HeartbeatRequestSchema));
    await link.updateTaskStatus(create(UpdateTaskStatusRequestSchema));
    link.assignments(create(AssignmentsRequestSchema), signal);
    link.listenSubscriptions(signal);
    const logs = new BoundedQueue<ReturnType<typeof log>>(2);
    const log = () => create(PublishLogsMessageSchema, { subscriptionId: 's1' });
    logs.push(log());
    logs.end();
    await link.publishLogs(logs);
    expect(channel.calls).toEqual([
      { name: 'Dispatcher/Session', options: { signal, timeoutMs: 5_000 } },
      { name: 'Dispatcher/Heartbeat', options: { timeoutMs: 5_000 } },
      { name: 'Reports/Report', options: { timeoutMs: 5_000 } },
      { name: 'Dispatcher/UpdateTaskStatus', options: { timeoutMs: 5_000 } },
      { name: 'Dispatcher/Assignments', options: { signal } },
      { name: 'LogBroker/ListenSubscriptions', options: { signal } },
      { name: 'LogBroker/PublishLogs', options: {} },
    ]);
    expect(channel.published).toEqual([log()]);
  });
});

describe('AgentConnector', () => {
  let channels: FakeChannel[];
  let dials: DialOptions[];
  let observed: boolean[];
  let avoided: (string | undefined)[];
  let clock: SimClock;
  let connector: AgentConnector;
  let abort: AbortController;

  beforeEach(() => {
    channels = [];
    dials = [];
    observed = [];
    avoided = [];
    clock = new SimClock();
    abort = new AbortController();
    connector = new AgentConnector({
      clock,
      dialer: {
        dial: (_address, options) => {
          dials.push(options);
          channels.push(new FakeChannel());
          return channels.at(-1)!;
        },
      },
      remotes: {
        choose: (avoid) => {
          avoided.push(avoid);
          return MANAGER;
        },
        observe: (_manager, isGood) => observed.push(isGood),
      },
    });
  });

  async function open() {
    const link = await connector.connect();
    const channel = channels.at(-1)!;
    const messages = link.session(request, abort.signal)[Symbol.asyncIterator]();
    return { link, channel, messages };
  }

  it('opens one channel for all of a session', async () => {
    const { channel, link, messages } = await open();
    channel.messages.push(message('s1'));
    expect((await messages.next()).value).toMatchObject({ sessionId: 's1' });
    await link.heartbeat(create(HeartbeatRequestSchema));
    link.assignments(create(AssignmentsRequestSchema), abort.signal);
    expect(dials).toEqual([{ serverName: 'swarm-manager' }]);
    expect(channel.calls).toHaveLength(3);
    expect(connector.manager).toEqual(MANAGER);
    expect(connector.channel).toBe(channel);
    expect(observed).toEqual([true]);
  });

  it('closes it when the manager ends the session, and remembers that', async () => {
    const { channel, messages } = await open();
    channel.messages.push(message('s1'));
    await messages.next();
    channel.messages.end(new RpcError(Code.ABORTED, 'node must disconnect'));
    await expect(messages.next()).rejects.toThrow('node must disconnect');
    expect(channel.isClosed).toBe(true);
    expect(observed).toEqual([true, false]);
    expect(connector.channel).toBeUndefined();
  });

  it('closes it when the session never stands', async () => {
    const { channel, messages } = await open();
    channel.messages.end(new RpcError(Code.UNAVAILABLE, 'connection refused'));
    await expect(messages.next()).rejects.toThrow('connection refused');
    expect(channel.isClosed).toBe(true);
    expect(observed).toEqual([false]);
  });

  it('closes it when the session is given up, also while nobody waits for a message', async () => {
    const { channel, messages } = await open();
    channel.messages.push(message('s1'));
    await messages.next();
    abort.abort(new RpcError(Code.DEADLINE_EXCEEDED, 'heartbeat: no answer'));
    await settle();
    expect(channel.isClosed).toBe(true);
    expect(observed).toEqual([true, false]);
  });

  it('gives up a manager that takes no connection, for longer each time, and then avoids it', async () => {
    const first = await open();
    const failed = expect(first.messages.next()).rejects.toThrow('the channel was closed');
    await clock.advance(CONNECTION_PATIENCE_MS - 1);
    expect(first.channel.isClosed).toBe(false);
    await clock.advance(1);
    await failed;
    expect(observed).toEqual([false]);
    const second = await open();
    void second.messages.next().catch(() => undefined);
    expect(avoided).toEqual([undefined, MANAGER.address]);
    await clock.advance(2 * CONNECTION_PATIENCE_MS - 1);
    expect(second.channel.isClosed).toBe(false);
    await clock.advance(1);
    expect(second.channel.isClosed).toBe(true);
  });

  it('waits for a manager that has taken the connection', async () => {
    const { channel, messages } = await open();
    const first = messages.next();
    channel.tell(true);
    await clock.advance(10 * CONNECTION_PATIENCE_MS);
    channel.messages.push(message('s1'));
    expect((await first).value).toMatchObject({ sessionId: 's1' });
    expect(clock.pendingTimers).toBe(0);
  });

  it('closes what is left of the one before when it connects anew', async () => {
    const first = await open();
    const second = await open();
    expect(first.channel.isClosed).toBe(true);
    await expect(first.messages.next()).rejects.toThrow();
    expect(second.channel.isClosed).toBe(false);
    expect(connector.channel).toBe(second.channel);
    connector.close();
    expect(second.channel.isClosed).toBe(true);
  });
});
