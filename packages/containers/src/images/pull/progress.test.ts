import { SimClock } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { ProgressChannel } from '../progress-channel.js';
import { humanSize, progressText, state, Throttle, tick } from './progress.js';

describe('progress', () => {
  it.each([
    [0, '0B'],
    [999, '999B'],
    [1_000, '1kB'],
    [1_234_567, '1.235MB'],
    [2_207_176, '2.207MB'],
    [10 ** 12, '1TB'],
  ])('%i bytes are %s', (bytes, text) => {
    expect(humanSize(bytes)).toBe(text);
  });

  it('draws the bar of Docker', () => {
    const half = `[${'='.repeat(25)}>${' '.repeat(25)}]      1kB/2kB`;
    expect(progressText(1_000, 2_000)).toBe(half);
    expect(progressText(2_000, 2_000)).toBe(`[${'='.repeat(50)}>]      2kB/2kB`);
    expect(progressText(0, 0)).toBe('');
    expect(progressText(5, 0)).toBe('      5B');
  });

  it('lets ticks through once an interval', async () => {
    const clock = new SimClock();
    const throttle = new Throttle(clock);
    expect([throttle.due(), throttle.due()]).toEqual([true, false]);
    await clock.advance(100);
    expect(throttle.due()).toBe(true);
  });
});

describe('a progress channel', () => {
  it('gives a slow reader the latest tick of each layer, and every state', async () => {
    const channel = new ProgressChannel();
    channel.push(state('Pulling fs layer', 'a'));
    for (let bytes = 1; bytes <= 1_000; bytes++)
      channel.push(tick('Downloading', 'a', bytes, 1_000));
    channel.push(state('Download complete', 'a'));
    channel.end();
    const seen: unknown[] = [];
    for await (const { status, progressDetail } of channel) seen.push([status, progressDetail]);
    expect(seen).toEqual([
      ['Pulling fs layer', {}],
      ['Downloading', { current: 1_000, total: 1_000 }],
      ['Download complete', {}],
    ]);
  });

  it('fails its reader after what came before', async () => {
    const channel = new ProgressChannel();
    channel.push({ status: 'one' });
    channel.end(new Error('broken'));
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { status } of channel) seen.push(status);
    })();
    await expect(reading).rejects.toThrow('broken');
    expect(seen).toEqual(['one']);
  });
});
