import type { RestartPolicy } from '../contract/config.js';
import { RESTART_DELAY_MS_FIRST, RESTART_DELAY_MS_MAX, RESTART_RESET_MS } from '../limits.js';

export interface RestartInput {
  policy: RestartPolicy;
  exitCode: number;
  /** Restarts so far. */
  restartCount: number;
  manuallyStopped: boolean;
  /** How long the container ran, ms. */
  ranMs: number;
  /** Delay of the restart before this one; 0 for none. */
  lastDelayMs: number;
}

/**
 * Delay before the next restart in ms, or undefined when there is none. Docker's back-off: 100 ms
 * doubling.
 */
export function restartDelayMs(input: RestartInput): number | undefined {
  if (input.manuallyStopped || !wanted(input)) return undefined;
  if (input.lastDelayMs === 0 || input.ranMs >= RESTART_RESET_MS) return RESTART_DELAY_MS_FIRST;
  return Math.min(input.lastDelayMs * 2, RESTART_DELAY_MS_MAX);
}

function wanted({ policy, exitCode, restartCount }: RestartInput): boolean {
  switch (policy.Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      if (exitCode === 0) return false;
      return policy.MaximumRetryCount === 0 || restartCount < policy.MaximumRetryCount;
    default:
      return false;
  }
}

/** Whether a container that does not run is to be started when the daemon starts. */
export function startsWithDaemon(policy: RestartPolicy, manuallyStopped: boolean): boolean {
  return policy.Name === 'always' || (policy.Name === 'unless-stopped' && !manuallyStopped);
}
