import { SimClock } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { adaptHeapGrowth } from './heap-growth.js';

const MIB = 2 ** 20;

describe('the growth of the heap', () => {
  it('follows its size, and does not flap between', async () => {
    const clock = new SimClock();
    let usedMib = 30;
    const set: number[] = [];
    const heap = {
      usedBytes: () => usedMib * MIB,
      setGrowth: (percent: number) => set.push(percent),
    };
    const stop = adaptHeapGrowth(clock, heap);
    for (usedMib of [40, 43, 40, 37]) await clock.advance(1_000);
    expect(set).toEqual([100]);
    for (usedMib of [35, 40]) await clock.advance(1_000);
    expect(set).toEqual([100, 20]);
    stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
