import { SimClock, silentLogger } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { Reconciler } from './reconciler.js';

function make(reconcile: (key: string) => Promise<void>) {
  const clock = new SimClock();
  const reconciler = new Reconciler({ name: 'test', clock, log: silentLogger, reconcile });
  reconciler.start();
  return { clock, reconciler };
}

describe('Reconciler', () => {
  it('runs a key once for many marks, and once more when marked while in work', async () => {
    const seen: string[] = [];
    let release = () => {};
    const { clock, reconciler } = make(async (key) => {
      seen.push(key);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    reconciler.mark('a');
    reconciler.mark('a');
    await clock.advance(0);
    reconciler.mark('a');
    release();
    await clock.advance(0);
    release();
    await clock.advance(0);
    expect(seen).toEqual(['a', 'a']);
  });

  it('tries a failing key again, later each time, without holding up the others', async () => {
    const seen: string[] = [];
    const { clock, reconciler } = make(async (key) => {
      seen.push(key);
      if (key === 'bad') throw new Error('no');
    });
    reconciler.mark('bad');
    reconciler.mark('good');
    await clock.advance(0);
    expect(seen).toEqual(['bad', 'good']);
    await clock.advance(100);
    await clock.advance(199);
    expect(seen).toHaveLength(3);
    await clock.advance(1);
    expect(seen).toHaveLength(4);
    await reconciler.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
