import { describe, expect, it } from 'vitest';
import { drawRaftScenario } from '../raft/index.js';
import { type RunOptions, runSeed } from './seed.js';
import { shrink } from './shrink.js';

describe('a seed', () => {
  it('draws the same scenario each time, and others draw others', () => {
    expect(drawRaftScenario(7)).toEqual(drawRaftScenario(7));
    const scenarios = Array.from({ length: 50 }, (_, seed) => drawRaftScenario(seed));
    const kinds = scenarios.flatMap(({ faults }) => faults.map(({ fault }) => fault.kind));
    expect(new Set(kinds).size).toBeGreaterThan(12);
    expect(new Set(scenarios.map(({ machines }) => machines))).toEqual(new Set([1, 3, 5, 7]));
  });

  it('is of chosen faults alone, and then of all of those', () => {
    const chosen = ['crash', 'pause'];
    const scenarios = Array.from({ length: 20 }, (_, seed) => drawRaftScenario(seed, chosen));
    const kinds = scenarios.flatMap(({ faults }) => faults.map(({ fault }) => fault.kind));
    expect(new Set(kinds)).toEqual(new Set(chosen));
  });

  it('comes to the same hash each time', async () => {
    for (const seed of [3, 26]) {
      const [first, second] = [await runRaft(seed), await runRaft(seed)];
      expect(first.failure).toBeUndefined();
      expect(second).toEqual(first);
      expect(first.events).toBeGreaterThan(500);
    }
    expect((await runRaft(3)).hash).not.toBe((await runRaft(4)).hash);
  }, 60_000);

  it('tells what broke, and with how few faults it still breaks', async () => {
    const options = { kind: 'raft', flaws: new Set(['never-sync']), onlyFaults: ['crash'] };
    const failed = await firstFailure(options, 10);
    expect(failed.failure?.lastEvents.length).toBeGreaterThan(5);
    const shrunk = await shrink(failed, options);
    expect(shrunk.failure?.rule).toBe(failed.failure?.rule);
    expect(shrunk.faults.length).toBe(1);
    const again = await runSeed(failed.seed, { ...options, keptFaults: shrunk.faults });
    expect(again.hash).toBe(shrunk.hash);
  }, 60_000);
});

function runRaft(seed: number) {
  return runSeed(seed, { kind: 'raft' });
}

/** Of several faults, so that there is something to leave out. */
async function firstFailure(options: RunOptions, seedsMax: number) {
  for (let seed = 1; seed <= seedsMax; seed++) {
    const outcome = await runSeed(seed, options);
    if (outcome.failure && outcome.faults.length > 1) return outcome;
  }
  throw new Error('nothing was found');
}
