import type { TaskObject } from '@skep/wire';
import { PortConfig_Protocol } from '@skep/wire/swarmkit';

/** The container's own TCP ports that clients reach by published ones. */
export function publishedTargets(task: TaskObject): number[] {
  const ports = task.endpoint?.ports ?? [];
  const targets = ports
    .filter(({ protocol }) => protocol === PortConfig_Protocol.TCP)
    .map(({ targetPort }) => targetPort);
  return [...new Set(targets)];
}
