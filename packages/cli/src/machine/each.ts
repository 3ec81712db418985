import { errorMessage } from '@skep/platform';
import { type CliContext, CommandError } from '../context.js';

/**
 * Does the same to several machines at once. All are tried; those that fail are told, one by one,
 * and make the command fail.
 */
export async function forEach(
  context: CliContext,
  names: readonly string[],
  work: (name: string) => Promise<void>,
): Promise<void> {
  const distinct = [...new Set(names)];
  const results = await Promise.allSettled(distinct.map(work));
  const errors = results
    .filter((result) => result.status === 'rejected')
    .map(({ reason }) => errorMessage(reason));
  if (errors.length === 0) return;
  for (const error of errors.slice(0, -1)) context.error(`${error}\n`);
  throw new CommandError(errors.at(-1) ?? '');
}
