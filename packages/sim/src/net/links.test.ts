import { SimRandom } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { Timeline } from '../engine/index.js';
import { type LinkQuality, Links } from './links.js';
import { type PartitionShape, partition } from './partitions.js';

const PERFECT: LinkQuality = {
  delayMs: [1, 5],
  lateProbability: 0,
  lossProbability: 0,
  duplicateProbability: 0,
};

describe('Links', () => {
  let timeline: Timeline;
  let links: Links;

  const make = (quality: Partial<LinkQuality>) => {
    timeline = new Timeline();
    const random = new SimRandom(1);
    links = new Links({ timeline, random, quality: { ...PERFECT, ...quality } });
  };

  const arrivals = async (count: number, isReliable = false) => {
    const seen: number[] = [];
    for (let n = 0; n < count; n++) links.send('a', 'b', isReliable, () => seen.push(n));
    await timeline.run(timeline.nowMs + 1_000);
    return seen;
  };

  beforeEach(() => make({}));

  it('delivers everything once when nothing is wrong, out of order', async () => {
    const seen = await arrivals(50);
    expect(seen).not.toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen).size).toBe(50);
    expect(seen).toHaveLength(50);
  });

  it('loses and doubles packets, unless they must be reliable', async () => {
    make({ lossProbability: 0.5, duplicateProbability: 0.5 });
    const seen = await arrivals(200);
    expect(new Set(seen).size).toBeLessThan(150);
    expect(seen.length).toBeGreaterThan(new Set(seen).size);
    const reliable = await arrivals(200, true);
    expect(reliable).toHaveLength(200);
  });

  it('cuts one way, also for what is under way, until every cut is mended', async () => {
    let arrived = 0;
    links.send('a', 'b', true, () => arrived++);
    const mends = [links.cut('a', 'b'), links.cut('a', 'b')];
    expect(links.send('a', 'b', true, () => arrived++)).toBe(false);
    expect(links.send('b', 'a', true, () => arrived++)).toBe(true);
    await timeline.run(100);
    expect(arrived).toBe(1);
    mends[0]?.();
    mends[0]?.();
    expect(links.isCut('a', 'b')).toBe(true);
    mends[1]?.();
    expect(links.isCut('a', 'b')).toBe(false);
  });

  it('holds back what is clogged', async () => {
    let atMs = 0;
    links.clog('a', 'b', 500);
    links.send('a', 'b', false, () => {
      atMs = timeline.nowMs;
    });
    await timeline.run(1_000);
    expect(atMs).toBeGreaterThan(500);
  });
});

describe('partition', () => {
  const machines = ['a', 'b', 'c', 'd', 'e'];
  const reachable = (shape: PartitionShape) => {
    const timeline = new Timeline();
    const links = new Links({ timeline, random: new SimRandom(1), quality: PERFECT });
    const mend = partition(links, shape, machines);
    const pairs = () =>
      machines.flatMap((from) =>
        machines.filter((to) => from !== to && !links.isCut(from, to)).map((to) => from + to),
      );
    const open = pairs();
    mend();
    expect(pairs()).toHaveLength(20);
    return open.join(' ');
  };

  it('has the shapes it says', () => {
    expect(reachable('isolate')).toBe('bc bd be cb cd ce db dc de eb ec ed');
    expect(reachable('halves')).toBe('ab ac ba bc ca cb de ed');
    expect(reachable('ring')).toBe('ab ae ba bc cb cd dc de ea ed');
    expect(reachable('deaf')).toBe('ab ac ad ae bc bd be cb cd ce db dc de eb ec ed');
    expect(reachable('mute')).toBe('ba bc bd be ca cb cd ce da db dc de ea eb ec ed');
    expect(reachable('bridge')).toBe('ab ac ad ae ba bc ca cb da de ea ed');
  });
});
