import { describe, expect, it } from 'vitest';
import { Draw, streamOf } from './streams.js';
import { formatEvent, Trace } from './trace.js';

describe('Trace', () => {
  it('comes to one hash for one sequence, and to another for any other', () => {
    const hashOf = (...whats: string[]) => {
      const trace = new Trace();
      whats.forEach((what, at) => {
        trace.note(at, 'm1', what);
      });
      return trace.hash;
    };
    expect(hashOf('a', 'b')).toBe(hashOf('a', 'b'));
    const others = [hashOf('a', 'b'), hashOf('b', 'a'), hashOf('a'), hashOf(), hashOf('ab')];
    expect(new Set(others).size).toBe(others.length);
    expect(hashOf('a')).toMatch(/^[0-9a-f]{16}$/);
  });

  it('keeps the newest events and counts all', () => {
    const trace = new Trace({ kept: 3 });
    for (let n = 0; n < 20; n++) trace.note(n, 'm1', `event ${n}`);
    expect(trace.count).toBe(20);
    expect(trace.last.map(({ what }) => what)).toEqual(['event 17', 'event 18', 'event 19']);
    expect(formatEvent({ atMs: 1234.5, who: 'm2', what: 'x' })).toContain('1.234 s  m2');
  });
});

describe('streams', () => {
  it('differ by seed and by purpose, and repeat', () => {
    const start = (seed: number, purpose: string) => {
      const random = streamOf(seed, purpose);
      return [random.float(), random.float()].join();
    };
    expect(start(1, 'net')).toBe(start(1, 'net'));
    const starts = [start(1, 'net'), start(2, 'net'), start(1, 'disk'), start(2, 'disk')];
    expect(new Set(starts).size).toBe(4);
  });

  it('draw by weight, between bounds, and in another order', () => {
    const draw = new Draw(streamOf(7, 'test'));
    const counts = { often: 0, seldom: 0, never: 0 };
    for (let n = 0; n < 1_000; n++) counts[draw.weighted({ often: 9, seldom: 1, never: 0 })]++;
    expect(counts.never).toBe(0);
    expect(counts.seldom).toBeGreaterThan(50);
    expect(counts.often).toBeGreaterThan(800);
    const numbers = Array.from({ length: 200 }, () => draw.between(3, 5));
    expect(new Set(numbers)).toEqual(new Set([3, 4, 5]));
    expect(draw.shuffle([1, 2, 3, 4, 5]).sort()).toEqual([1, 2, 3, 4, 5]);
  });
});
