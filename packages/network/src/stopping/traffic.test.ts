import { create } from '@bufbuild/protobuf';
import { Code, RpcError, SimClock, silentLogger } from '@skep/platform';
import { completeObject } from '@skep/wire';
import { PortConfig_Protocol, PortConfig_PublishMode, TaskSchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { SimKernel } from '../kernel/simulated/kernel.js';
import type { TaskAnnouncer } from './contract.js';
import { SwarmTraffic } from './traffic.js';

const NAMESPACE = '/netns/c1';

async function setUp() {
  const clock = new SimClock();
  const kernel = new SimKernel();
  await kernel.run([{ op: 'namespace-add', path: NAMESPACE }]);
  const namespaceOf = (id: string) => (id === 'c1' ? NAMESPACE : undefined);
  const hidesAnother = (protocol: string, port: number) => protocol === 'udp' && port === 53;
  const options = { clock, kernel, logger: silentLogger, namespaceOf, hidesAnother };
  const traffic = new SwarmTraffic(options);
  const signal = new AbortController();
  return { clock, kernel, traffic, abort: signal, namespace: kernel.at(NAMESPACE) };
}

/** When a promise settles, on the simulated clock. */
function timed<T>(clock: SimClock, promise: Promise<T>) {
  const seen: { atMs?: number; value?: T } = {};
  const startMs = clock.monotonic();
  void promise.then((value) => Object.assign(seen, { value, atMs: clock.monotonic() - startMs }));
  return seen;
}

const announcer = (more: Partial<TaskAnnouncer> = {}): TaskAnnouncer => ({
  activate: async () => {},
  withdraw: async () => {},
  spreadMs: 0,
  ...more,
});

describe('a task that may take connections', () => {
  const task = (id: string) => completeObject('task', create(TaskSchema, { id }));

  it('is told of to whoever announces, and to the next one as long as it may', async () => {
    const { traffic } = await setUp();
    const heard: string[] = [];
    const next = () => announcer({ activate: async ({ id }) => void heard.push(id) });
    await traffic.activate(task('t1'));
    await traffic.activate(task('t2'));
    const first = next();
    traffic.announceThrough(first);
    traffic.announceThrough(first);
    expect(heard.splice(0)).toEqual(['t1', 't2']);
    await traffic.withdraw('t1');
    traffic.announceThrough(next());
    expect(heard).toEqual(['t2']);
  });
});

it('names the ports of a task in the mesh that hide other programs', async () => {
  const { traffic } = await setUp();
  const portsOf = (publishMode: PortConfig_PublishMode) =>
    [53, 54].flatMap((publishedPort) =>
      [PortConfig_Protocol.UDP, PortConfig_Protocol.TCP].map((protocol) => {
        return { publishedPort, protocol, publishMode, targetPort: 53 };
      }),
    );
  const obstructions = (publishMode: PortConfig_PublishMode) => {
    const ports = portsOf(publishMode);
    const task = create(TaskSchema, { id: 't1', endpoint: { ports } });
    return traffic.obstructions(completeObject('task', task));
  };
  expect(obstructions(PortConfig_PublishMode.INGRESS)).toEqual([
    'published port 53/udp hides another program of this host that listens on it',
  ]);
  expect(obstructions(PortConfig_PublishMode.HOST)).toEqual([]);
});

describe('a container that is to listen', () => {
  it('is ready at the first look, or soon after it listens on all of its ports', async () => {
    const { abort, clock, namespace, traffic } = await setUp();
    namespace.listeningPorts = [80, 443, 7];
    expect(await traffic.listening('c1', [80, 443], 5_000, abort.signal)).toBe(true);
    expect(await traffic.listening('c1', [80], 0, abort.signal)).toBe(true);
    namespace.listeningPorts = [80];
    const seen = timed(clock, traffic.listening('c1', [80, 443], 5_000, abort.signal));
    await clock.advance(1_000);
    namespace.listeningPorts = [443, 80];
    await clock.advance(5_000);
    expect(seen.value).toBe(true);
    expect(seen.atMs).toBeLessThanOrEqual(1_100);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is waited for no longer than it is asked for, and not without a network of its own', async () => {
    const { abort, clock, traffic } = await setUp();
    const seen = timed(clock, traffic.listening('c1', [80], 1_050, abort.signal));
    await clock.advance(5_000);
    expect(seen).toEqual({ atMs: 1_050, value: false });
    expect(await traffic.listening('c1', [80], 0, abort.signal)).toBe(false);
    expect(await traffic.listening('of the host', [80], 5_000, abort.signal)).toBe(true);
  });

  it('is given up with its namespace, and when it is called off', async () => {
    const { abort, clock, kernel, traffic } = await setUp();
    const called = traffic.listening('c1', [80], 5_000, abort.signal);
    const outcome = expect(called).rejects.toThrow('enough');
    const gone = timed(clock, traffic.listening('c1', [80], 5_000, new AbortController().signal));
    await clock.advance(50);
    abort.abort(new Error('enough'));
    await outcome;
    await kernel.run([{ op: 'namespace-remove', path: NAMESPACE }]);
    await clock.advance(100);
    expect(gone.value).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is looked at for a fifth of the time at most', async () => {
    const { abort, clock, kernel, traffic } = await setUp();
    let looks = 0;
    kernel.listeningPorts = async () => {
      looks++;
      await clock.sleep(200);
      return [];
    };
    const seen = timed(clock, traffic.listening('c1', [80], 5_000, abort.signal));
    await clock.advance(10_000);
    expect(seen.value).toBe(false);
    expect(looks).toBeLessThanOrEqual(6);
  });
});

describe('withdrawing a task', () => {
  it('takes no time where nobody is to hear of it', async () => {
    const { clock, traffic } = await setUp();
    const seen = timed(clock, traffic.withdraw('t1'));
    await clock.advance(0);
    expect(seen.atMs).toBe(0);
  });

  it('takes as long as the answer, and as the news take to spread', async () => {
    const { clock, traffic } = await setUp();
    const withdraw = () => clock.sleep(50);
    traffic.announceThrough(announcer({ withdraw }));
    const byManager = timed(clock, traffic.withdraw('t1'));
    await clock.advance(10_000);
    expect(byManager.atMs).toBe(50);
    traffic.announceThrough(announcer({ withdraw, spreadMs: 2_000 }));
    const byGossip = timed(clock, traffic.withdraw('t1'));
    await clock.advance(10_000);
    expect(byGossip.atMs).toBe(2_050);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is tried again while nobody could be told, and given up in time', async () => {
    const { clock, traffic } = await setUp();
    let attempts = 0;
    const busy = announcer({
      withdraw: async () => {
        if (++attempts < 3) throw new Error('no leader');
      },
    });
    traffic.announceThrough(busy);
    const seen = timed(clock, traffic.withdraw('t1'));
    await clock.advance(10_000);
    expect(seen.atMs).toBe(400);
    traffic.announceThrough(announcer({ withdraw: () => new Promise(() => {}) }));
    const deaf = timed(clock, traffic.withdraw('t1'));
    await clock.advance(10_000);
    expect(deaf.atMs).toBe(3_000);
    const withdraw = () => Promise.reject(new RpcError(Code.UNIMPLEMENTED, 'what?'));
    traffic.announceThrough(announcer({ withdraw, spreadMs: 2_000 }));
    const foreign = timed(clock, traffic.withdraw('t1'));
    await clock.advance(10_000);
    expect(foreign.atMs).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('draining a container', () => {
  it('ends once nobody has been there for a moment', async () => {
    const { abort, clock, namespace, traffic } = await setUp();
    namespace.inboundConnections = 2;
    const seen = timed(clock, traffic.drained('c1', 5_000, abort.signal));
    await clock.advance(950);
    namespace.inboundConnections = 0;
    await clock.advance(100);
    namespace.inboundConnections = 1; // was on its way
    await clock.advance(100);
    namespace.inboundConnections = 0;
    await clock.advance(5_000);
    expect(seen).toEqual({ atMs: 1_300, value: 0 });
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends when time is up, and tells how many are left', async () => {
    const { abort, clock, namespace, traffic } = await setUp();
    namespace.inboundConnections = 2;
    const seen = timed(clock, traffic.drained('c1', 1_050, abort.signal));
    await clock.advance(5_000);
    expect(seen).toEqual({ atMs: 1_050, value: 2 });
    const none = timed(clock, traffic.drained('c1', 0, abort.signal));
    await clock.advance(0);
    expect(none).toEqual({ atMs: 0, value: 0 });
  });

  it('ends with its namespace, and when it is called off', async () => {
    const { abort, clock, kernel, namespace, traffic } = await setUp();
    expect(await traffic.drained('unknown', 1_000, abort.signal)).toBe(0);
    namespace.inboundConnections = 1;
    const gone = timed(clock, traffic.drained('c1', 1_000, abort.signal));
    await clock.advance(100);
    await kernel.run([{ op: 'namespace-remove', path: NAMESPACE }]);
    await clock.advance(100);
    expect(gone).toEqual({ atMs: 200, value: 0 });
    await kernel.run([{ op: 'namespace-add', path: NAMESPACE }]);
    kernel.at(NAMESPACE).inboundConnections = 1;
    const draining = traffic.drained('c1', 1_000, abort.signal);
    const outcome = expect(draining).rejects.toThrow('enough');
    await clock.advance(100);
    abort.abort(new Error('enough'));
    await outcome;
    expect(clock.pendingTimers).toBe(0);
  });

  it('counts anew when the number of sockets is another, and otherwise each second', async () => {
    const { abort, clock, namespace, traffic } = await setUp();
    Object.assign(namespace, { inboundConnections: 1, otherSockets: 1 });
    const seen = timed(clock, traffic.drained('c1', 5_000, abort.signal));
    await clock.advance(50);
    Object.assign(namespace, { inboundConnections: 0, otherSockets: 2 });
    await clock.advance(5_000);
    expect(seen).toEqual({ atMs: 1_100, value: 0 });
  });

  it('looks at many more rarely than at one', async () => {
    const { clock, kernel, namespace, traffic } = await setUp();
    namespace.inboundConnections = 1;
    let looks = 0;
    const look = kernel.tcpSockets.bind(kernel);
    kernel.tcpSockets = (path) => {
      looks++;
      return look(path);
    };
    const all = Array.from({ length: 100 }, () =>
      traffic.drained('c1', 10_000, new AbortController().signal),
    );
    await clock.advance(10_000);
    await Promise.all(all);
    expect(looks).toBeLessThan(1_400);
  });
});
