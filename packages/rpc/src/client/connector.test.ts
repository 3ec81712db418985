import { Code, RpcError, SimClock, SimRandom } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { failureOf } from '../testing/calls.js';
import type { Connection } from './connection.js';
import { Connector } from './connector.js';

type State = 'usable' | 'lost' | 'drained' | 'destroyed';

/** A connection of which a test decides when it is there, and when it is lost. */
class FakeConnection implements Connection {
  state: State = 'usable';
  readonly #onUnusable: () => void;

  constructor(onUnusable: () => void) {
    this.#onUnusable = onUnusable;
  }

  get isUsable(): boolean {
    return this.state === 'usable';
  }

  call(): never {
    throw new Error('no calls here');
  }

  end(state: State): void {
    this.state = state;
    this.#onUnusable();
  }

  drain = () => this.end('drained');
  destroy = () => this.end('destroyed');
}

function setUp() {
  const clock = new SimClock();
  const told: boolean[] = [];
  const attempts: { onUnusable(): void; settle(connection: FakeConnection | RpcError): void }[] =
    [];
  const connector = new Connector<FakeConnection>({
    clock,
    random: new SimRandom(1),
    open: (onUnusable) =>
      new Promise((resolve, reject) => {
        const settle = (outcome: FakeConnection | RpcError) =>
          outcome instanceof RpcError ? reject(outcome) : resolve(outcome);
        attempts.push({ onUnusable, settle });
      }),
    onConnection: (isUp) => told.push(isUp),
  });
  /** The last attempt succeeds. */
  const succeed = () => {
    const { onUnusable, settle } = attempts.at(-1)!;
    const connection = new FakeConnection(onUnusable);
    settle(connection);
    return connection;
  };
  const fail = () => attempts.at(-1)!.settle(new RpcError(Code.UNAVAILABLE, 'refused'));
  return { clock, told, attempts, connector, succeed, fail };
}

describe('a connector', () => {
  it('opens one connection for all who wait, and keeps it', async () => {
    const { attempts, connector, succeed, told } = setUp();
    const waiting = [connector.connection(), connector.connection()];
    const connection = succeed();
    expect(await Promise.all(waiting)).toEqual([connection, connection]);
    expect(await connector.connection()).toBe(connection);
    expect(attempts).toHaveLength(1);
    expect(told).toEqual([true]);
  });

  it('refuses at once after a failure, for a pause that grows to half a second', async () => {
    const { clock, attempts, connector, fail } = setUp();
    const pausesMs: number[] = [];
    for (let failures = 1; failures <= 8; failures++) {
      const failure = failureOf(connector.connection());
      fail();
      expect((await failure).message).toBe('refused');
      const sinceMs = clock.monotonic();
      while (attempts.length === failures) {
        await clock.advance(10);
        connector.connection().catch(() => undefined);
      }
      pausesMs.push(clock.monotonic() - sinceMs);
    }
    expect(pausesMs[0]).toBeLessThanOrEqual(130);
    expect(Math.max(...pausesMs)).toBeGreaterThan(390);
    expect(Math.max(...pausesMs)).toBeLessThanOrEqual(610);
  });

  it('opens another once the first is lost, and tells of both', async () => {
    const { connector, succeed, told } = setUp();
    const first = connector.connection();
    succeed();
    (await first).end('lost');
    expect(connector.ready).toBeUndefined();
    const second = connector.connection();
    const connection = succeed();
    expect(await second).toBe(connection);
    expect(told).toEqual([true, false, true]);
  });

  it('drains what it has when the identity changes, and tells nobody', async () => {
    const { connector, succeed, told } = setUp();
    const first = connector.connection();
    const former = succeed();
    await first;
    connector.renew();
    expect(former.state).toBe('drained');
    const second = connector.connection();
    succeed();
    expect(await second).not.toBe(former);
    expect(told).toEqual([true]);
  });

  it('gives no connection that was begun with a former identity', async () => {
    const { attempts, connector, succeed } = setUp();
    const waiting = connector.connection();
    connector.renew();
    const outdated = succeed();
    while (attempts.length < 2) await Promise.resolve();
    expect(outdated.state).toBe('drained');
    const current = succeed();
    expect(await waiting).toBe(current);
  });

  it('ends a connection that comes up after it was closed', async () => {
    const { connector, succeed, told } = setUp();
    const waiting = failureOf(connector.connection());
    connector.close();
    const late = succeed();
    expect((await waiting).code).toBe(Code.CANCELED);
    expect(late.state).toBe('destroyed');
    expect((await failureOf(connector.connection())).code).toBe(Code.CANCELED);
    expect(told).toEqual([]);
  });
});
