import type { Random } from '@skep/platform';
import type { ReadView } from '@skep/store';
import { durationMs, hasOwnAgent, type NodeObject } from '@skep/wire';
import {
  HEARTBEAT_DEFAULT_MS,
  HEARTBEAT_JITTER,
  HEARTBEAT_MIN_MS,
  HEARTBEAT_PER_NODE_MS,
} from './limits.js';

/** The period somebody set, in ms; undefined when the cluster has Docker's default. */
function configuredPeriodMs(view: ReadView): number | undefined {
  const [cluster] = view.all('cluster');
  const periodMs = durationMs(cluster?.spec.dispatcher.heartbeatPeriod);
  return periodMs > 0 && periodMs !== HEARTBEAT_DEFAULT_MS ? periodMs : undefined;
}

/**
 * The period that is ours to choose for a node, in ms: as short as the number of nodes allows, a second in a small
 * cluster, so that a dead node is known in three, and Docker's five from 250 nodes on. Undefined where somebody
 * set one, and for Docker's agents, which may need longer than that to find another manager.
 */
export function chosenPeriodMs(view: ReadView, node: NodeObject | undefined): number | undefined {
  if (configuredPeriodMs(view) !== undefined || !hasOwnAgent(node?.description)) return undefined;
  const grownMs = view.count('node') * HEARTBEAT_PER_NODE_MS;
  return Math.min(Math.max(grownMs, HEARTBEAT_MIN_MS), HEARTBEAT_DEFAULT_MS);
}

/** How often a node should be heard of, in ms. */
export function heartbeatPeriodMs(view: ReadView, node: NodeObject | undefined): number {
  return chosenPeriodMs(view, node) ?? configuredPeriodMs(view) ?? HEARTBEAT_DEFAULT_MS;
}

export function jittered(periodMs: number, random: Random): number {
  return periodMs * (1 - HEARTBEAT_JITTER + 2 * HEARTBEAT_JITTER * random.float());
}
