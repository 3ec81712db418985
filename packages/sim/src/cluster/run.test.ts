import { describe, expect, it } from 'vitest';
import { Trace } from '../engine/index.js';
import { ClusterRun } from './run.js';
import { type ClusterScenario, drawClusterScenario } from './scenario.js';

/** Seeds with a small swarm each. */
const CALM: ClusterScenario = {
  ...drawClusterScenario(1),
  ...{ managers: 3, workers: 1, users: 1, userPauseMs: 1_000, lengthMs: 4_000, faults: [] },
};

async function hashOf(scenario: ClusterScenario): Promise<string> {
  const trace = new Trace();
  await new ClusterRun({ scenario, trace }).run();
  return trace.hash;
}

describe('a swarm in memory', () => {
  it('is founded and joined, runs what its users want, and does so again the same way', async () => {
    const hash = await hashOf(CALM);
    expect(await hashOf(CALM)).toBe(hash);
    expect(await hashOf({ ...CALM, seed: 2 })).not.toBe(hash);
  }, 30_000);
});
