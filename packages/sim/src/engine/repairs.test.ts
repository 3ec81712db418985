import { beforeEach, describe, expect, it } from 'vitest';
import { Repairs } from './repairs.js';
import { Timeline } from './timeline.js';

describe('repairs', () => {
  let timeline: Timeline;
  let repairs: Repairs;
  let mended: string[];

  beforeEach(() => {
    timeline = new Timeline();
    repairs = new Repairs(timeline);
    mended = [];
    repairs.after(20, () => mended.push('late'));
    repairs.after(10, () => mended.push('soon'));
  });

  it('come in their time', async () => {
    await timeline.run(15);
    expect(mended).toEqual(['soon']);
    await timeline.run(25);
    expect(mended).toEqual(['soon', 'late']);
  });

  it('come all at the end, each once', async () => {
    await timeline.run(15);
    repairs.all();
    expect(mended).toEqual(['soon', 'late']);
    await timeline.run(25);
    expect(mended).toEqual(['soon', 'late']);
  });
});
