import type { HostConfig } from '@skep/containers';
import type { TaskObject } from '@skep/wire';
import type { ContainerSpec, GenericResource } from '@skep/wire/swarmkit';

/** Limits of a task, of which the engine enforces every one. Absent ones are left to its defaults. */
export function resourceLimits(task: TaskObject, spec: ContainerSpec): Partial<HostConfig> {
  const { limits, reservations, swapBytes, memorySwappiness } = task.spec.resources ?? {};
  const memory = Number(limits?.memoryBytes ?? 0n);
  const reservation = Number(reservations?.memoryBytes ?? 0n);
  const config: Partial<HostConfig> = {};
  if (limits && limits.nanoCpus > 0n) config.NanoCpus = Number(limits.nanoCpus);
  if (memory > 0) config.Memory = memory;
  if (memory > 0 && swapBytes !== undefined) {
    // The engine counts memory and swap together.
    config.MemorySwap = swapBytes < 0n ? -1 : memory + Number(swapBytes);
  }
  if (reservation > 0) config.MemoryReservation = reservation;
  if (memorySwappiness !== undefined) config.MemorySwappiness = Number(memorySwappiness);
  if (spec.pidsLimit > 0n) config.PidsLimit = Number(spec.pidsLimit);
  if (spec.ulimits.length > 0) {
    config.Ulimits = spec.ulimits.map(({ name, soft, hard }) => ({
      Name: name,
      Soft: Number(soft),
      Hard: Number(hard),
    }));
  }
  return config;
}

/** How a container learns what it was given: `DOCKER_RESOURCE_GPU=uuid1,uuid2`. */
export function genericResourceEnvironment(resources: readonly GenericResource[]): string[] {
  const values = new Map<string, string[]>();
  for (const { resource } of resources) {
    if (resource.case === undefined) continue;
    const { kind, value } = resource.value;
    values.set(kind, [...(values.get(kind) ?? []), String(value)]);
  }
  return [...values].map(([kind, list]) => `DOCKER_RESOURCE_${kind.toUpperCase()}=${list.join()}`);
}
