import { describe, expect, it, vi } from 'vitest';
import { Trace } from '../engine/index.js';
import { Containers } from './containers.js';
import { clusterKind } from './kind.js';
import { ClusterRun } from './run.js';
import { type ClusterScenario, drawClusterScenario } from './scenario.js';

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
  }, 60_000);

  it('comes through what its seed has in store for it, the same way each time', async () => {
    for (const seed of [72, 320]) {
      const outcome = await clusterKind.run(seed, {});
      expect(outcome.failure).toBeUndefined();
      expect(outcome.faults.length).toBeGreaterThan(0);
      expect(await clusterKind.run(seed, {})).toEqual(outcome);
    }
  }, 60_000);

  it('says so where what an engine runs is not what it should', async () => {
    const run = new ClusterRun({ scenario: CALM, trace: new Trace() });
    const isRunning = vi.spyOn(Containers.prototype, 'running', 'get');
    isRunning.mockReturnValue(['a task of nobody']);
    await expect(run.run()).rejects.toThrow('m1 runs [a task of nobody], and should []');
    isRunning.mockRestore();
  }, 60_000);
});
