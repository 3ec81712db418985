import { runSeed, type SeedOptions } from './seed.js';
import { shrink } from './shrink.js';

/** A process that runs the seeds its parent sends, one after the other. */

interface Task {
  seed: number;
  options: Omit<SeedOptions, 'flaws'> & { flaws?: string[] };
  shrinks: boolean;
}

process.on('message', ({ seed, options, shrinks }: Task) => {
  const flaws = new Set(options.flaws) as SeedOptions['flaws'];
  const asked = { ...options, ...(flaws ? { flaws } : {}) } as SeedOptions;
  void runSeed(seed, asked).then(async (outcome) => {
    process.send?.({ outcome });
    if (shrinks && outcome.failure) process.send?.({ shrunk: await shrink(outcome, asked) });
    process.send?.({ idle: true });
  });
});
