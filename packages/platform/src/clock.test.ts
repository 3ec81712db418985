import { describe, expect, it } from 'vitest';
import { RealClock } from './clock.js';
import { SimClock } from './clock.sim.js';

describe('SimClock', () => {
  it('runs timers in order of time, then of creation', async () => {
    const clock = new SimClock();
    const seen: string[] = [];
    clock.after(20, () => seen.push('late'));
    clock.after(10, () => seen.push('first'));
    clock.after(10, () => seen.push('second'));
    await clock.advance(15);
    expect(seen).toEqual(['first', 'second']);
    await clock.advance(5);
    expect(seen).toEqual(['first', 'second', 'late']);
  });

  it('lets a timer set another within the same advance', async () => {
    const clock = new SimClock();
    let fired = 0;
    const again = () => {
      fired++;
      clock.after(10, again);
    };
    clock.after(10, again);
    await clock.advance(35);
    expect(fired).toBe(3);
    expect(clock.pendingTimers).toBe(1);
  });

  it('forgets a cancelled timer and an aborted sleep', async () => {
    const clock = new SimClock();
    const abort = new AbortController();
    clock.after(5, () => expect.unreachable())();
    const slept = clock.sleep(5, abort.signal);
    abort.abort(new Error('stop'));
    await expect(slept).rejects.toThrow('stop');
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('soon', () => {
  it('comes after all that is settled in the same turn', async () => {
    const clock = new RealClock();
    const seen: string[] = [];
    const over = new Promise<void>((resolve) => {
      clock.soon(() => {
        seen.push('soon');
        resolve();
      });
    });
    await Promise.resolve().then(() => seen.push('a promise'));
    process.nextTick(() => seen.push('the next tick'));
    await over;
    expect(seen).toEqual(['a promise', 'the next tick', 'soon']);
  });
});
