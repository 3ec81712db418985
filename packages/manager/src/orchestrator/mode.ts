import type { ServiceObject } from '@skep/wire';
import { type ServiceSpec, TaskState } from '@skep/wire/swarmkit';

export type ServiceMode = NonNullable<ServiceSpec['mode']['case']>;

export function isReplicated(service: ServiceObject): boolean {
  return service.spec.mode.case === 'replicated';
}

export function isGlobal(service: ServiceObject): boolean {
  return service.spec.mode.case === 'global';
}

/** Services whose tasks run to their end once, and again with every update. */
export function isJobSpec({ mode }: Pick<ServiceSpec, 'mode'>): boolean {
  return mode.case === 'replicatedJob' || mode.case === 'globalJob';
}

export function isJob(service: ServiceObject): boolean {
  return isJobSpec(service.spec);
}

/** Services that run until told otherwise. */
export function isLongRunning(service: ServiceObject): boolean {
  return isReplicated(service) || isGlobal(service);
}

/** Whether each task belongs to a node; the others' tasks are numbered. */
export function isPerNode(service: ServiceObject): boolean {
  const mode = service.spec.mode.case;
  return mode === 'global' || mode === 'globalJob';
}

/** What a task of the service is to come to. */
export function goalOf(service: ServiceObject): TaskState {
  return isJob(service) ? TaskState.COMPLETE : TaskState.RUNNING;
}
