import { describe, expect, it } from 'vitest';
import { Timeline } from './timeline.js';

describe('Timeline', () => {
  it('runs events in order of time, then of creation, and leaves out the cancelled', async () => {
    const timeline = new Timeline();
    const seen: string[] = [];
    const note = (name: string) => () => void seen.push(`${name}@${timeline.nowMs}`);
    timeline.after(30, note('c'));
    timeline.after(10, note('a'));
    timeline.after(10, note('b'));
    timeline.after(20, note('never'))();
    await timeline.run(25);
    expect(seen).toEqual(['a@10', 'b@10']);
    await timeline.run(100);
    expect(seen).toEqual(['a@10', 'b@10', 'c@30']);
    expect(timeline.nowMs).toBe(100);
  });

  it('keeps order among many events', async () => {
    const timeline = new Timeline();
    const seen: number[] = [];
    for (let n = 0; n < 500; n++) timeline.after((n * 7919) % 503, () => seen.push(timeline.nowMs));
    await timeline.run(1_000);
    expect(seen).toHaveLength(500);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('lets promises settle between events, then looks', async () => {
    const timeline = new Timeline();
    const seen: string[] = [];
    timeline.observe(() => seen.push('look'));
    timeline.after(1, async () => {
      await null;
      for (let n = 0; n < 50; n++) await Promise.resolve();
      seen.push('settled');
    });
    timeline.after(1, () => void seen.push('next'));
    await timeline.run(5);
    expect(seen).toEqual(['settled', 'look', 'next', 'look']);
  });

  it('stops early when told so, and in circles', async () => {
    const timeline = new Timeline({ eventsMax: 10 });
    let count = 0;
    const again = () => {
      count++;
      timeline.after(0, again);
    };
    again();
    await timeline.run(5, () => count === 4);
    expect(count).toBe(4);
    await expect(timeline.run(5)).rejects.toThrow('circles');
  });
});
