import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BroadcastQueue, retransmitLimit } from './broadcast-queue.js';
import { LamportClock } from './database/lamport.js';
import { Awareness } from './membership/awareness.js';
import { Suspicion, suspicionLeftMs, suspicionTimeoutMs } from './membership/suspicion.js';
import { pushPullIntervalMs } from './state-exchange.js';
import { Timers } from './timers.js';

const bytes = (length: number, fill = 0) => new Uint8Array(length).fill(fill);

describe('Timers', () => {
  it('run in order of time, then of creation, also those set meanwhile', () => {
    const timers = new Timers(1_000);
    const seen: string[] = [];
    timers.after(20, () => seen.push('late'));
    timers.after(10, () => {
      seen.push('first');
      timers.after(5, () => seen.push('set meanwhile'));
    });
    timers.after(10, () => seen.push('second'));
    timers.after(10, () => seen.push('cancelled'))();
    expect(timers.dueMs).toBe(1_010);
    timers.advance(1_030);
    expect(seen).toEqual(['first', 'second', 'set meanwhile', 'late']);
    expect(timers.nowMs).toBe(30);
    expect(timers.dueMs).toBeUndefined();
  });

  it('stand still where the process did, so that nobody is blamed for its absence', () => {
    const timers = new Timers(0);
    const seen: number[] = [];
    timers.after(100, () => seen.push(timers.nowMs));
    timers.after(500, () => seen.push(timers.nowMs));
    expect(timers.advance(60_000)).toBe(59_900);
    expect(seen).toEqual([100]);
    expect(timers.dueMs).toBe(60_400);
    timers.advance(60_400);
    expect(seen).toEqual([100, 500]);
  });
});

describe('BroadcastQueue', () => {
  const queueOf = (nodes = 3) => new BroadcastQueue({ nodes: () => nodes, bytesMax: 100 });
  const fills = (taken: readonly Uint8Array[]) => taken.map(([fill]) => fill);

  it('tells each a limited number of times, what was told least often first', () => {
    const queue = queueOf();
    queue.push(bytes(10, 1));
    expect(fills(queue.take(2, 100, 9))).toEqual([1]);
    queue.push(bytes(10, 2));
    expect(fills(queue.take(2, 12, 9))).toEqual([2]);
    expect(fills(queue.take(2, 100, 9))).toEqual([2, 1]);
    for (let left = 0; left < 3; left++) queue.take(2, 100, 9);
    expect(queue.size).toBe(0);
    expect(queue.take(2, 100, 9)).toEqual([]);
  });

  it('takes the newest under a name, and nothing that fits no packet', () => {
    const queue = queueOf();
    queue.push(bytes(10, 1), 'a');
    queue.push(bytes(10, 2), 'a');
    expect(queue.push(bytes(101, 3))).toBe(false);
    expect(fills(queue.take(2, 500, 9))).toEqual([2]);
    expect(queue.push(bytes(101, 4), 'a')).toBe(false);
    expect(queue.size).toBe(0);
  });

  it('fills what it may with what fits', () => {
    const queue = queueOf();
    for (const length of [60, 30, 60, 5]) queue.push(bytes(length, length));
    expect(fills(queue.take(2, 100, 9))).toEqual([5, 60]);
    expect(queue.take(2, 100, 1)).toHaveLength(1);
  });

  it('never exceeds its bounds', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 120 }), { maxLength: 50 });
    const takes = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 20 });
    fc.assert(
      fc.property(lengths, takes, (all, budgets) => {
        const queue = queueOf();
        for (const length of all) queue.push(bytes(length));
        for (const budget of budgets) {
          const taken = queue.take(2, budget, 5);
          const sum = taken.reduce((total, { length }) => total + length + 2, 0);
          expect(sum).toBeLessThanOrEqual(budget);
          expect(taken.length).toBeLessThanOrEqual(5);
        }
      }),
    );
  });

  it('counts as memberlist does', () => {
    expect([0, 1, 9, 10, 99, 100].map(retransmitLimit)).toEqual([4, 4, 4, 8, 8, 12]);
    expect([1, 32, 33, 64, 65, 128].map(pushPullIntervalMs)).toEqual([
      30_000, 30_000, 60_000, 60_000, 90_000, 90_000,
    ]);
  });
});

describe('suspicion', () => {
  it('lasts as long as memberlist has it', () => {
    const table = [
      [0, 3, 0, 30_000],
      [1, 3, 2_000, 14_000],
      [2, 3, 3_000, 4_810],
      [3, 3, 4_000, -2_000],
      [4, 3, 5_000, -3_000],
      [5, 3, 10_000, -8_000],
    ] as const;
    for (const [confirmed, wanted, elapsedMs, leftMs] of table) {
      const left = suspicionLeftMs(confirmed, wanted, elapsedMs, [2_000, 30_000]);
      expect(left).toBe(leftMs);
    }
    expect([5, 10, 50, 100, 500, 1_000].map(suspicionTimeoutMs)).toEqual([
      4_000, 4_000, 6_795, 8_000, 10_795, 12_000,
    ]);
  });

  const suspicionOf = (nodes: number) => {
    const timers = new Timers(0);
    let overMs: number | undefined;
    const onOver = () => {
      overMs = timers.nowMs;
    };
    const suspicion = new Suspicion({ timers, from: 'a', nodes, onOver });
    const advance = (toMs: number) => {
      for (let nowMs = timers.nowMs; nowMs <= toMs; nowMs += 100) timers.advance(nowMs);
      return overMs;
    };
    return { suspicion, advance };
  };

  it('is over sooner when others share it, each of whom counts once', () => {
    const { suspicion, advance } = suspicionOf(10);
    expect(suspicion.confirm('a')).toBe(false);
    expect(suspicion.confirm('b')).toBe(true);
    expect(suspicion.confirm('b')).toBe(false);
    expect(advance(6_000)).toBeUndefined();
    expect(suspicion.confirm('c')).toBe(true);
    expect(suspicion.confirm('d')).toBe(false);
    expect(advance(6_100)).toBe(6_000);
  });

  it('is as long as it can be alone, and as short where nobody could share it', () => {
    expect(suspicionOf(10).advance(30_000)).toBe(24_000);
    expect(suspicionOf(3).advance(30_000)).toBe(4_000);
    const { suspicion, advance } = suspicionOf(3);
    suspicion.end();
    expect(advance(30_000)).toBeUndefined();
  });
});

describe('Awareness', () => {
  it('stays between well and in great doubt', () => {
    const awareness = new Awareness();
    awareness.change(-3);
    expect(awareness.scale(100)).toBe(100);
    awareness.change(3);
    expect(awareness.scale(100)).toBe(400);
    awareness.change(30);
    expect(awareness.score).toBe(7);
  });
});

describe('LamportClock', () => {
  it('is later than all it has seen', () => {
    const clock = new LamportClock();
    expect(clock.next()).toBe(1n);
    clock.witness(41n);
    expect(clock.next()).toBe(43n);
    clock.witness(5n);
    expect(clock.time).toBe(43n);
  });
});
