import { durationMs } from '@skep/wire';
import { type ContainerSpec, type HealthConfig, type Mount, Mount_Type } from '@skep/wire/swarmkit';
import { invalidArgument, unimplemented } from '../errors.js';
import { HEALTH_TIME_MS_MIN } from '../limits.js';
import { isImageReference } from './image-reference.js';

/** Checks what a container is made from; throws Docker's text (features.md 2.5). */
export function checkContainer(container: ContainerSpec): void {
  checkImage(container.image);
  checkMounts(container.mounts);
  checkHealth(container.healthcheck);
}

function checkImage(image: string): void {
  if (image === '') throw invalidArgument('ContainerSpec: image reference must be provided');
  if (!isImageReference(image)) {
    throw invalidArgument(`ContainerSpec: ${JSON.stringify(image)} is not a valid repository/tag`);
  }
}

function checkMounts(mounts: readonly Mount[]): void {
  const targets = new Set<string>();
  for (const { target, tmpfsOptions, type } of mounts) {
    if (targets.has(target)) {
      throw invalidArgument(`ContainerSpec: duplicate mount point: ${target}`);
    }
    targets.add(target);
    const sizeBytes = tmpfsOptions?.sizeBytes ?? 0n;
    // Docker leaves it to the node, where each container would fail to start.
    if (sizeBytes < 0n) {
      throw invalidArgument(
        `ContainerSpec: tmpfs size of ${target} cannot be negative: ${sizeBytes}`,
      );
    }
    // No node could ever be given one: no manager here makes them.
    if (type === Mount_Type.CLUSTER) {
      throw unimplemented('cluster volumes are not supported by this engine');
    }
  }
}

function checkHealth(health: HealthConfig | undefined): void {
  if (!health) return;
  const times = {
    Interval: health.interval,
    Timeout: health.timeout,
    StartPeriod: health.startPeriod,
    StartInterval: health.startInterval,
  };
  for (const [name, time] of Object.entries(times)) {
    const ms = durationMs(time);
    if (ms !== 0 && ms < HEALTH_TIME_MS_MIN) {
      throw invalidArgument(
        `ContainerSpec: ${name} in HealthConfig cannot be less than ${HEALTH_TIME_MS_MIN}ms`,
      );
    }
  }
  if (health.retries < 0) {
    throw invalidArgument('ContainerSpec: Retries in HealthConfig cannot be negative');
  }
}
