import { create } from '@bufbuild/protobuf';
import { BoundedQueue, Code, RpcError, SimClock, silentLogger } from '@skep/platform';
import {
  type NetworksUpdate,
  NetworksUpdateSchema,
  type WatchNetworksRequest,
  WithdrawResponseSchema,
} from '@skep/wire/skep';
import { beforeEach, describe, expect, it } from 'vitest';
import type { NetworksLink, NetworkTablesSink } from './contract.js';
import { NetworksFollower } from './follower.js';
import { REOPEN_DELAY_FIRST_MS, WITHDRAW_TIMEOUT_MS } from './limits.js';

const QUEUE_MAX = 100;

/** A manager whose calls the test answers. */
class FakeManager implements NetworksLink {
  readonly calls: { updates: BoundedQueue<NetworksUpdate>; signal: AbortSignal }[] = [];
  readonly applied: bigint[] = [];
  refusal: RpcError | undefined;
  withdraw: NetworksLink['withdraw'] = async () => create(WithdrawResponseSchema);

  async *watch(requests: AsyncIterable<WatchNetworksRequest>, signal: AbortSignal) {
    if (this.refusal) throw this.refusal;
    const updates = new BoundedQueue<NetworksUpdate>(QUEUE_MAX);
    this.calls.push({ updates, signal });
    signal.addEventListener('abort', () => updates.end(new RpcError(Code.CANCELED, 'over')));
    void this.#hear(requests);
    yield* updates;
  }

  tell(number: bigint, more: Partial<NetworksUpdate> = {}): void {
    const update = create(NetworksUpdateSchema, { number, version: number });
    this.calls.at(-1)?.updates.push({ ...update, ...more });
  }

  async #hear(requests: AsyncIterable<WatchNetworksRequest>): Promise<void> {
    for await (const { applied } of requests) this.applied.push(applied);
  }
}

/** Tables that take as long over an update as the test wants. */
class FakeSink implements NetworkTablesSink {
  readonly events: string[] = [];
  readonly updates: NetworksUpdate[] = [];
  readonly #waiting: (() => void)[] = [];
  holds = false;
  failure: Error | undefined;

  async update(update: NetworksUpdate): Promise<void> {
    this.updates.push(update);
    this.events.push(`update ${update.number}`);
    if (this.failure) throw this.failure;
    if (this.holds) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  lost(): void {
    this.events.push('lost');
  }

  unsupported(): void {
    this.events.push('unsupported');
  }

  /** The update that waits longest, or the one at a place, is done. */
  finish(place = 0): void {
    this.#waiting.splice(place, 1)[0]?.();
  }
}

let clock: SimClock;
let sink: FakeSink;
let manager: FakeManager;
let follower: NetworksFollower;

beforeEach(() => {
  clock = new SimClock();
  sink = new FakeSink();
  manager = new FakeManager();
  follower = new NetworksFollower({ clock, sink, log: silentLogger });
});

/** A manager is followed. */
async function following(): Promise<void> {
  follower.follow(manager);
  await clock.advance(0);
}

describe('a node that follows a manager', () => {
  it('says that an update is applied when it and all before are', async () => {
    await following();
    sink.holds = true;
    manager.tell(1n, { complete: true });
    manager.tell(2n);
    await clock.advance(0);
    expect(sink.events).toEqual(['update 1', 'update 2']);
    sink.finish(1);
    await clock.advance(0);
    expect(manager.applied).toEqual([]);
    sink.finish();
    await clock.advance(0);
    expect(manager.applied.at(-1)).toBe(2n);
  });

  it('takes an update of several messages as one', async () => {
    await following();
    const network = { id: 'net' } as NetworksUpdate['networks'][number];
    manager.tell(1n, { complete: true, continued: true, networks: [network] });
    await clock.advance(0);
    expect(sink.updates).toEqual([]);
    const gone = { id: 'x' } as NetworksUpdate['gone'][number];
    manager.tell(1n, { complete: true, version: 9n, gone: [gone] });
    await clock.advance(0);
    expect(sink.updates).toMatchObject([
      { complete: true, version: 9n, networks: [{ id: 'net' }], gone: [{ id: 'x' }] },
    ]);
  });

  it('calls again when the call breaks, with longer and longer pauses', async () => {
    await following();
    for (const pauses of [1, 2, 4]) {
      manager.calls.at(-1)?.updates.end();
      await clock.advance(pauses * REOPEN_DELAY_FIRST_MS - 1);
      const { length } = manager.calls;
      await clock.advance(1);
      expect(manager.calls).toHaveLength(length + 1);
    }
    manager.tell(1n);
    manager.calls.at(-1)?.updates.end(new RpcError(Code.UNAVAILABLE, 'gone'));
    await clock.advance(REOPEN_DELAY_FIRST_MS);
    expect(manager.calls).toHaveLength(5);
    expect(sink.events).toEqual(['lost', 'lost', 'lost', 'update 1', 'lost']);
  });

  it('calls again when the tables could not take an update', async () => {
    await following();
    sink.failure = new Error('no');
    manager.tell(1n);
    await clock.advance(0);
    expect(manager.calls[0]?.signal.aborted).toBe(true);
    sink.failure = undefined;
    await clock.advance(REOPEN_DELAY_FIRST_MS);
    manager.tell(1n);
    await clock.advance(0);
    expect(manager.applied).toEqual([1n]);
  });

  it('leaves the one for another, and takes nothing more of the first', async () => {
    await following();
    const other = new FakeManager();
    follower.follow(other);
    await clock.advance(0);
    expect(manager.calls[0]?.signal.aborted).toBe(true);
    manager.tell(1n);
    follower.leave(manager);
    other.tell(1n);
    await clock.advance(0);
    expect(sink.events).toEqual(['update 1']);
    follower.leave(other);
    await clock.advance(10_000);
    expect(sink.events).toEqual(['update 1', 'lost']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('asks a manager of another kind once', async () => {
    manager.refusal = new RpcError(Code.UNIMPLEMENTED, 'unknown service skep.v1.Networks');
    await following();
    await clock.advance(10_000);
    expect(sink.events).toEqual(['unsupported']);
  });
});

describe('a withdrawal', () => {
  const { signal } = new AbortController();

  it('goes to the manager that is followed', async () => {
    await expect(follower.withdraw('t1', signal)).rejects.toThrow('no manager can be asked');
    const asked: string[] = [];
    manager.withdraw = async (taskId) => {
      asked.push(taskId);
      return create(WithdrawResponseSchema, { waitedInVainFor: ['n2'] });
    };
    await following();
    await follower.withdraw('t1', signal);
    expect(asked).toEqual(['t1']);
    follower.leave(manager);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends after a time, and when nobody wants it any more', async () => {
    manager.withdraw = (_taskId, either) =>
      new Promise((_resolve, reject) => {
        const giveUp = () => reject(new RpcError(Code.CANCELED, 'given up'));
        either.addEventListener('abort', giveUp);
        if (either.aborted) giveUp();
      });
    await following();
    const late = expect(follower.withdraw('t1', signal)).rejects.toThrow('given up');
    await clock.advance(WITHDRAW_TIMEOUT_MS);
    await late;
    const unwanted = AbortSignal.abort();
    await expect(follower.withdraw('t1', unwanted)).rejects.toThrow('given up');
  });
});
