import { describe, expect, it } from 'vitest';
import { drawRaftScenario } from '../raft/index.js';
import { runSeed } from './seed.js';
import { shrink } from './shrink.js';

describe('a seed', () => {
  it('draws the same scenario each time, and others draw others', () => {
    expect(drawRaftScenario(7)).toEqual(drawRaftScenario(7));
    const scenarios = Array.from({ length: 50 }, (_, seed) => drawRaftScenario(seed));
    const kinds = scenarios.flatMap(({ faults }) => faults.map(({ fault }) => fault.kind));
    expect(new Set(kinds).size).toBeGreaterThan(12);
    expect(new Set(scenarios.map(({ machines }) => machines))).toEqual(new Set([1, 3, 5, 7]));
  });

  it('comes to the same hash each time', async () => {
    for (const seed of [3, 11, 26]) {
      const [first, second] = [await runSeed(seed), await runSeed(seed)];
      expect(first.failure).toBeUndefined();
      expect(second).toEqual(first);
      expect(first.events).toBeGreaterThan(500);
    }
    expect((await runSeed(3)).hash).not.toBe((await runSeed(4)).hash);
  }, 60_000);

  it('tells what broke, and with how few faults it still breaks', async () => {
    const options = { flaws: new Set(['vote-twice'] as const) };
    const failed = await firstFailure(options, 60);
    expect(failed.failure?.rule).toBe('one-vote');
    expect(failed.failure?.lastEvents.length).toBeGreaterThan(5);
    const shrunk = await shrink(failed, options);
    expect(shrunk.failure?.rule).toBe('one-vote');
    expect(shrunk.faults.length).toBeLessThanOrEqual(failed.faults.length);
    const again = await runSeed(failed.seed, { ...options, keptFaults: shrunk.faults });
    expect(again.hash).toBe(shrunk.hash);
  }, 60_000);
});

async function firstFailure(options: Parameters<typeof runSeed>[1], seedsMax: number) {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const outcome = await runSeed(seed, options);
    if (outcome.failure) return outcome;
  }
  throw new Error('nothing was found');
}
