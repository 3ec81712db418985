import type { NodeRole } from '@skep/ca';
import type { Clock } from '@skep/platform';
import { REMOVED_ROLE_WAIT_MS } from '../limits.js';
import { untilAborted } from './waiting.js';

export interface RemovedManager {
  clock: Clock;
  /** By its certificate. */
  role(): NodeRole;
  /** What managers want it to be, as far as this node was told. */
  desiredRole(): NodeRole | undefined;
  /** When its certificate was renewed last, monotonic ms; undefined before the first time. */
  renewedMs(): number | undefined;
  renew(): void;
  onChange(listener: () => void): () => void;
}

/**
 * A manager that Raft does not know any more since `sinceMs` (monotonic) is about to be a worker, or must ask what
 * it is. Resolves when it is a worker; when it was made a manager again, which a certificate from after the removal
 * says, so that it may join again; or when neither can be learned. Also when `signal` aborts.
 */
export async function awaitRole(
  node: RemovedManager,
  sinceMs: number,
  signal: AbortSignal,
): Promise<void> {
  const isKnown = () => node.role() === 'worker' || isManagerAgain(node, sinceMs);
  for (const mayAsk of [true, false]) {
    const late = new AbortController();
    const cancel = node.clock.after(REMOVED_ROLE_WAIT_MS, () => late.abort());
    const either = AbortSignal.any([signal, late.signal]);
    await untilAborted(either, (look) => node.onChange(look), isKnown).catch(() => {});
    cancel();
    if (isKnown() || signal.aborted) return;
    if (mayAsk) node.renew();
  }
}

/** A certificate alone does not tell: it may have been asked for before the node's role was changed. */
function isManagerAgain(node: RemovedManager, sinceMs: number): boolean {
  return node.desiredRole() === 'manager' && (node.renewedMs() ?? 0) > sinceMs;
}
