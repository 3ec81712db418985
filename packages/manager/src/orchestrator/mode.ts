import type { ServiceObject } from '@skep/wire';
import type { ServiceSpec } from '@skep/wire/swarmkit';

export type ServiceMode = NonNullable<ServiceSpec['mode']['case']>;

export function isReplicated(service: ServiceObject): boolean {
  return service.spec.mode.case === 'replicated';
}

export function isGlobal(service: ServiceObject): boolean {
  return service.spec.mode.case === 'global';
}

/**
 * Services that run until told otherwise; jobs have their own rules for all that is decided here.
 */
export function isLongRunning(service: ServiceObject): boolean {
  return isReplicated(service) || isGlobal(service);
}
