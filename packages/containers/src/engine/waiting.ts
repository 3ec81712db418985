import type { WaitCondition, WaitResult } from '../contract/engine.js';
import type { Container } from './container.js';

/** Resolves when the condition holds; rejects with the signal's reason when that aborts first. */
export function waitFor(
  container: Container,
  condition: WaitCondition,
  signal: AbortSignal | undefined,
): Promise<WaitResult> {
  if (condition === 'not-running' && !container.status.state.Running) {
    return Promise.resolve(container.exitResult);
  }
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const finish = (result: WaitResult) => {
      signal?.removeEventListener('abort', abort);
      resolve(result);
    };
    const forget = condition === 'removed' ? container.onRemoved(finish) : container.onExit(finish);
    const abort = () => {
      forget();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}
