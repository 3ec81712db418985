import { describe, expect, it } from 'vitest';
import { RealRandom } from './random.js';

describe('RealRandom', () => {
  it('never gives the same bytes twice, nor any that change later', () => {
    const random = new RealRandom();
    const given = Array.from({ length: 2_000 }, () => random.bytes(12));
    const texts = given.map((bytes) => Buffer.from(bytes).toString('hex'));
    expect(new Set(texts).size).toBe(given.length);
    expect(given.every(({ length, byteOffset }) => length === 12 && byteOffset === 0)).toBe(true);
  });

  it('gives any length', () => {
    const random = new RealRandom();
    for (const length of [0, 1, 4_095, 4_096, 4_097, 100_000]) {
      expect(random.bytes(length)).toHaveLength(length);
    }
    expect(random.bytes(100_000).filter((byte) => byte === 0).length).toBeLessThan(1_000);
  });

  it('gives numbers in [0, 1)', () => {
    const random = new RealRandom();
    const numbers = Array.from({ length: 10_000 }, () => random.float());
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
  });
});
