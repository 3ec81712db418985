import { type Clock, Code, RpcError } from '@skep/platform';
import { whenAborted } from './when-aborted.js';

/**
 * Waits for `work`, but not longer than `limitMs` (DEADLINE_EXCEEDED), and not once the signal aborts
 * (CANCELED). What was begun may still happen after that.
 */
export async function within<T>(
  clock: Clock,
  limitMs: number,
  signal: AbortSignal,
  work: Promise<T>,
): Promise<T> {
  const ends: (() => void)[] = [];
  const givenUp = new Promise<never>((_resolve, reject) => {
    const expire = () =>
      reject(new RpcError(Code.DEADLINE_EXCEEDED, `not done within ${limitMs} ms`));
    ends.push(clock.after(limitMs, expire));
    ends.push(whenAborted(signal, () => reject(new RpcError(Code.CANCELED, 'stopped'))));
  });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    for (const end of ends) end();
  }
}
