import type { TaskObject } from '@skep/wire';
import {
  type GenericResource,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  TaskState,
} from '@skep/wire/swarmkit';

/** What a task takes of its node. */
export interface Demand {
  /** Billionths of a processor. */
  nanoCpus: number;
  memoryBytes: number;
  generic: readonly GenericResource[];
  /** Ports published on the node itself under a number the user named, as `port/protocol`. */
  hostPorts: readonly string[];
}

/** Reservations count; limits take nothing. */
export function demandOf(task: TaskObject): Demand {
  const reservations = task.spec.resources?.reservations;
  return {
    nanoCpus: Number(reservations?.nanoCpus ?? 0n),
    memoryBytes: Number(reservations?.memoryBytes ?? 0n),
    generic: reservations?.generic ?? [],
    hostPorts: hostPortsOf(task),
  };
}

/** See {@link Demand.hostPorts}. */
export function hostPortsOf(task: TaskObject): string[] {
  const ports: string[] = [];
  for (const { publishMode, publishedPort, protocol } of task.endpoint?.ports ?? []) {
    if (publishMode !== PortConfig_PublishMode.HOST || publishedPort === 0) continue;
    ports.push(`${publishedPort}/${protocol}`);
  }
  return ports;
}

/** A key of {@link Demand.hostPorts} as people write it: `port 80/tcp in use`. */
export function portText(key: string): string {
  const [port, protocol] = key.split('/');
  return `port ${port}/${PortConfig_Protocol[Number(protocol)]?.toLowerCase()} in use`;
}

/**
 * Whether a task is only the address of a container that somebody starts on a node: it takes nothing of it,
 * and is wanted there whether or not the node takes new tasks.
 */
export function isAttachment({ spec }: TaskObject): boolean {
  return spec.runtime.case === 'attachment';
}

/** Whether a task takes room on its node. */
export function holdsNode(task: TaskObject): boolean {
  const { state } = task.status;
  return task.nodeId !== '' && state >= TaskState.ASSIGNED && state <= TaskState.RUNNING;
}

/** Whether a task counts as one of its service's: it shall run, or shall run to its end. */
export function isActive(task: TaskObject): boolean {
  return task.desiredState <= TaskState.COMPLETE;
}

/** The service and the version of its spec that a task is of: what failures are remembered by. */
export function revisionKey(task: TaskObject): string {
  if (!task.serviceId || !task.specVersion) return `task/${task.id}`;
  return `${task.serviceId}/${task.specVersion.index}`;
}

/** Waiting tasks with the same key are alike to the scheduler. One made for a node stands alone. */
export function groupKey(task: TaskObject): string {
  return task.nodeId ? `task/${task.id}` : revisionKey(task);
}
