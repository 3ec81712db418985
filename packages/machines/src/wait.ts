import type { Clock } from '@skep/platform';
import { POLL_MS } from './limits.js';

/** Asks again until the answer is true; false when the time is over. */
export async function waitUntil(
  clock: Clock,
  timeoutMs: number,
  ask: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const giveUpAtMs = clock.monotonic() + timeoutMs;
  while (!(await ask())) {
    if (clock.monotonic() > giveUpAtMs) return false;
    await clock.sleep(POLL_MS);
  }
  return true;
}
