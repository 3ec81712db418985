import { errorMessage } from '@skep/platform';
import { type RunOptions, runSeed } from './seed.js';
import { shrink } from './shrink.js';

/** A process that runs the seeds its parent sends, one after the other. */

interface Task {
  seed: number;
  /** Sets do not pass between processes: lists do. */
  options: Omit<RunOptions, 'flaws'> & { flaws: string[] };
  shrinks: boolean;
}

process.on('message', ({ seed, options, shrinks }: Task) => {
  const runOptions = { ...options, flaws: new Set(options.flaws) };
  perform(seed, runOptions, shrinks).then(
    () => tell({ idle: true }),
    (error) => tell({ refused: errorMessage(error) }),
  );
});
process.on('disconnect', () => process.exit());

async function perform(seed: number, options: RunOptions, shrinks: boolean): Promise<void> {
  const outcome = await runSeed(seed, options);
  tell({ outcome });
  if (shrinks && outcome.failure) tell({ shrunk: await shrink(outcome, options) });
}

/** A parent that is gone has no use for answers. */
function tell(answer: object): void {
  process.send?.(answer, undefined, undefined, () => {});
}
