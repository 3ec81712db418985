import { InvariantError, SimClock, settle, silentLogger } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { RESTART_DELAY_FIRST_MS, RESTART_DELAY_MAX_MS } from '../limits.js';
import type { Manager } from '../manager/manager.js';
import { ManagerKeeper } from './manager-keeper.js';

/** As much of a manager as a keeper sees. */
class FakeManager {
  raftStatus = { isRemoved: false };
  isStopped = false;
  #listener = () => {};

  onChange(listener: () => void): () => void {
    this.#listener = listener;
    return () => {};
  }

  remove(): void {
    this.raftStatus = { isRemoved: true };
    this.#listener();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
  }
}

describe('ManagerKeeper', () => {
  const clock = new SimClock();
  let isWanted: boolean;
  let started: FakeManager[];
  let failures: unknown[];
  let erased: number;
  let fatal: unknown[];
  let decide: () => void;
  let keeper: ManagerKeeper;

  beforeEach(() => {
    isWanted = true;
    started = [];
    failures = [];
    erased = 0;
    fatal = [];
    keeper = new ManagerKeeper({
      clock,
      log: silentLogger,
      isWanted: () => isWanted,
      start: async () => {
        if (failures.length > 0) throw failures.shift();
        const manager = new FakeManager();
        started.push(manager);
        return manager as unknown as Manager;
      },
      erase: async () => void erased++,
      afterRemoval: () => new Promise((resolve) => (decide = resolve)),
      onChange: () => {},
      onFatal: (error) => fatal.push(error),
    });
  });

  it('has one run for as long as it is wanted, and erases what a demoted one leaves', async () => {
    isWanted = false;
    keeper.run();
    await settle();
    expect(keeper.manager).toBeUndefined();
    isWanted = true;
    keeper.wake();
    await settle();
    expect(keeper.manager).toBe(started[0]);
    isWanted = false;
    keeper.wake();
    await settle();
    expect(started).toMatchObject([{ isStopped: true }]);
    expect([keeper.manager, erased]).toEqual([undefined, 1]);
    await keeper.stop();
  });

  it('tries again what fails, ever less often, and tells why there is none', async () => {
    failures = Array.from({ length: 8 }, () => new Error('no leader'));
    keeper.run();
    await keeper.settled;
    expect(keeper.error).toBe('no leader');
    await clock.advance(RESTART_DELAY_FIRST_MS - 1);
    expect(failures).toHaveLength(7);
    await clock.advance(1);
    expect(failures).toHaveLength(6);
    await clock.advance(8 * RESTART_DELAY_MAX_MS);
    expect(keeper.manager).toBe(started[0]);
    expect(keeper.error).toBeUndefined();
    await keeper.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('starts anew, with nothing on disk, where Raft removed it and it is to be one again', async () => {
    keeper.run();
    await settle();
    started[0]?.remove();
    await settle();
    expect(started).toMatchObject([{ isStopped: true }]);
    expect(erased).toBe(1);
    decide();
    await settle();
    expect(keeper.manager).toBe(started[1]);
    await keeper.stop();
  });

  it('keeps what is on disk when the node stops', async () => {
    keeper.run();
    await settle();
    await keeper.stop();
    expect(started).toMatchObject([{ isStopped: true }]);
    expect(erased).toBe(0);
  });

  it('gives up on what only a restart can mend', async () => {
    const broken = new InvariantError('two leaders');
    failures = [broken];
    keeper.run();
    await settle();
    expect(fatal).toEqual([broken]);
    await keeper.stop();
  });
});
