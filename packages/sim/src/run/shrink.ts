import type { SeedOutcome } from './kind.js';
import { type RunOptions, runSeed } from './seed.js';

/** Runs of one shrinking at most. */
const RUNS_MAX = 60;

/**
 * Leaves out one fault after the other of a run that failed, for as long as it fails by the same rule: what is left
 * is what it takes. The places of faults are those of the whole scenario, for `keptFaults`.
 */
export async function shrink(failed: SeedOutcome, options: RunOptions = {}): Promise<SeedOutcome> {
  let smallest = failed;
  let runs = 0;
  for (let hasShrunk = true; hasShrunk; ) {
    hasShrunk = false;
    for (const place of smallest.faults) {
      if (runs++ >= RUNS_MAX) return smallest;
      const keptFaults = smallest.faults.filter((other) => other !== place);
      const outcome = await runSeed(failed.seed, { ...options, kind: failed.kind, keptFaults });
      if (outcome.failure?.rule !== failed.failure?.rule) continue;
      smallest = outcome;
      hasShrunk = true;
    }
  }
  return smallest;
}
