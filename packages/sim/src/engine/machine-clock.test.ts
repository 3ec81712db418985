import { beforeEach, describe, expect, it } from 'vitest';
import { MachineClock } from './machine-clock.js';
import { Timeline } from './timeline.js';

describe('MachineClock', () => {
  let timeline: Timeline;
  let seen: string[];
  const note = (name: string) => () => void seen.push(`${name}@${timeline.nowMs}`);

  beforeEach(() => {
    timeline = new Timeline();
    seen = [];
  });

  it('drifts', async () => {
    const fast = new MachineClock({ timeline, drift: 0.25 });
    const slow = new MachineClock({ timeline, drift: -0.5 });
    fast.after(100, note('fast'));
    slow.after(100, note('slow'));
    await timeline.run(1_000);
    expect(seen).toEqual(['fast@80', 'slow@200']);
    expect(fast.monotonic()).toBe(1_250);
    expect(slow.now() - slow.monotonic()).toBe(fast.now() - fast.monotonic());
  });

  it('goes on for the shortest of delays', async () => {
    const clock = new MachineClock({ timeline, drift: -0.013 });
    await timeline.run(11_741.3);
    const beforeMs = clock.monotonic();
    clock.after(5e-13, () => seen.push(String(clock.monotonic() > beforeMs)));
    await timeline.run(11_742);
    expect(seen).toEqual(['true']);
  });

  it('stands still with its timers when frozen', async () => {
    const clock = new MachineClock({ timeline });
    clock.after(100, note('timer'));
    await timeline.run(40);
    clock.pause('frozen');
    clock.whenAwake(note('packet'));
    await timeline.run(1_000);
    expect(clock.monotonic()).toBe(40);
    expect(seen).toEqual([]);
    clock.resume();
    await timeline.run(2_000);
    expect(seen).toEqual(['packet@1000', 'timer@1060']);
  });

  it('fires what fell due at once after being stopped', async () => {
    const clock = new MachineClock({ timeline });
    clock.after(200, note('second'));
    clock.after(100, note('first'));
    clock.after(2_000, note('later'));
    clock.pause('stopped');
    await timeline.run(1_000);
    expect(clock.monotonic()).toBe(1_000);
    clock.resume();
    await timeline.run(3_000);
    expect(seen).toEqual(['first@1000', 'second@1000', 'later@2000']);
  });

  it('runs nothing after its end', async () => {
    const clock = new MachineClock({ timeline });
    clock.after(10, note('timer'));
    clock.pause('stopped');
    clock.whenAwake(note('held'));
    clock.kill();
    clock.resume();
    clock.after(10, note('new timer'));
    clock.whenAwake(note('packet'));
    await timeline.run(100);
    expect(seen).toEqual([]);
  });

  it('moves only the wall clock in a jump', () => {
    const clock = new MachineClock({ timeline });
    const before = clock.now();
    clock.jump(-3_600_000);
    expect(clock.now()).toBe(before - 3_600_000);
    expect(clock.monotonic()).toBe(0);
  });
});
