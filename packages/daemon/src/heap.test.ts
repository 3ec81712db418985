import { SimClock } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adaptHeap, type Heap, v8Heap } from './heap.js';

const MIB = 2 ** 20;
const QUIET_MS = 25_000;

describe('the heap', () => {
  let clock: SimClock;
  let usedMib: number;
  let nurseryMib: number;
  let busyShare: number;
  let done: (number | 'collect')[];
  let stop: () => void;

  beforeEach(() => {
    clock = new SimClock();
    [usedMib, nurseryMib, busyShare, done] = [30, 1, 0, []];
    const heap: Heap = {
      usedBytes: () => usedMib * MIB,
      nurseryBytes: () => nurseryMib * MIB,
      busyShare: () => busyShare,
      setGrowth: (percent) => done.push(percent),
      collect: () => done.push('collect'),
    };
    stop = adaptHeap(clock, heap);
  });

  afterEach(() => {
    stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('grows as its size says, and does not flap between', async () => {
    for (usedMib of [40, 43, 40, 37]) await clock.advance(1_000);
    expect(done).toEqual([100]);
    for (usedMib of [35, 40]) await clock.advance(1_000);
    expect(done).toEqual([100, 20]);
  });

  it('gives back what its nursery grew by once it is quiet', async () => {
    nurseryMib = 32;
    await clock.advance(QUIET_MS - 2_000); // it looked once at the start
    busyShare = 0.5;
    await clock.advance(1_000);
    busyShare = 0;
    await clock.advance(QUIET_MS - 1_000);
    expect(done).toEqual([]);
    await clock.advance(1_000);
    expect(done).toEqual(['collect']);
    nurseryMib = 1;
    await clock.advance(60_000);
    expect(done).toEqual(['collect']);
  });
});

describe("V8's heap", () => {
  it('tells of itself, and can be collected', () => {
    const heap = v8Heap();
    expect(heap.usedBytes()).toBeGreaterThan(MIB);
    expect(heap.nurseryBytes()).toBeGreaterThan(0);
    expect(heap.busyShare()).toBeLessThanOrEqual(1);
    heap.collect();
  });
});
