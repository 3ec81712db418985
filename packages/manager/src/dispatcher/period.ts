import type { Random } from '@skep/platform';
import type { ReadView } from '@skep/store';
import { durationMs } from '@skep/wire';
import {
  HEARTBEAT_DEFAULT_MS,
  HEARTBEAT_JITTER,
  HEARTBEAT_MIN_MS,
  HEARTBEAT_PER_NODE_MS,
} from './limits.js';

/** The period somebody set, in ms; undefined when the cluster has Docker's default. */
export function configuredPeriodMs(view: ReadView): number | undefined {
  const [cluster] = view.all('cluster');
  const periodMs = durationMs(cluster?.spec.dispatcher.heartbeatPeriod);
  return periodMs > 0 && periodMs !== HEARTBEAT_DEFAULT_MS ? periodMs : undefined;
}

/**
 * How often nodes should be heard of, in ms. Unless set, as often as their number allows: a second in a small
 * cluster, so that a dead node is known in three, and Docker's five from 250 nodes on.
 */
export function heartbeatPeriodMs(view: ReadView): number {
  const grownMs = view.count('node') * HEARTBEAT_PER_NODE_MS;
  return (
    configuredPeriodMs(view) ?? Math.min(Math.max(grownMs, HEARTBEAT_MIN_MS), HEARTBEAT_DEFAULT_MS)
  );
}

export function jittered(periodMs: number, random: Random): number {
  return periodMs * (1 - HEARTBEAT_JITTER + 2 * HEARTBEAT_JITTER * random.float());
}
