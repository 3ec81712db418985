import type { TaskObject } from '@skep/wire';
import { PortConfig_Protocol } from '@skep/wire/swarmkit';
import { LISTEN_WAIT_MS } from '../limits.js';

/** The container's own TCP ports that clients reach by published ones. */
export function publishedTargets(task: TaskObject): number[] {
  const ports = task.endpoint?.ports ?? [];
  const targets = ports
    .filter(({ protocol }) => protocol === PortConfig_Protocol.TCP)
    .map(({ targetPort }) => targetPort);
  return [...new Set(targets)];
}

/** How long to wait for a container that runs since then; a clock that was set does not lengthen it. */
export function listenWaitMs(startedAt: string, nowMs: number): number {
  const leftMs = LISTEN_WAIT_MS - (nowMs - Date.parse(startedAt));
  return Math.min(Math.max(leftMs, 0), LISTEN_WAIT_MS);
}
