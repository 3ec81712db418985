import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { ServiceObject } from '@skep/wire';
import { IndexEntrySchema } from '@skep/wire/swarmkit';
import { updated } from '../control/service/revisions.js';
import { type Step, updateService } from '../loop/plan.js';
import { redirected } from './references.js';
import { newestOf, type Payload, type PayloadKind, versionsOf } from './versions.js';

/** Key of the index entry of a version that services still have to be given. */
const ROLLING_KEY = 'skep.rolling';

/** Every service that has another version than the newest, given that one. */
export function rolledServices(
  view: ReadView,
  kind: PayloadKind,
  name: string,
  nowMs: number,
): ServiceObject[] {
  const versions = versionsOf(view, kind, name);
  const newest = versions.pop();
  if (!newest) return [];
  const older = new Set(versions.map(({ id }) => id));
  const services: ServiceObject[] = [];
  for (const service of view.all('service')) {
    const spec = redirected(service.spec, (kindOfReference, id) =>
      kindOfReference === kind && older.has(id) ? newest.id : id,
    );
    if (spec !== service.spec) services.push(rolled(service, spec, nowMs));
  }
  return services;
}

/** As if its user had updated it, but that a job does not run again: its tasks to come have it. */
function rolled(service: ServiceObject, spec: ServiceObject['spec'], nowMs: number): ServiceObject {
  const { meta, jobStatus } = service;
  return { ...updated(service, spec, meta.version, nowMs), jobStatus };
}

/**
 * What one entry could not hold: first the services that are left, in any order, and in a later
 * plan, when there are none, the note on the newest version goes that says so.
 */
export function planRest(view: ReadView, kind: PayloadKind, name: string, nowMs: number): Step[] {
  const newest = newestOf(view, kind, name);
  if (!newest || !isRolling(newest)) return [];
  const services = rolledServices(view, kind, name, nowMs);
  if (services.length > 0) return services.map((service) => [updateService(service)]);
  const done = { kind: 'update', table: kind, object: withRolling(newest, false) };
  return [[done as Step[number]]];
}

/** Whether some services may not have been given this version yet. */
export function isRolling({ spec }: Payload): boolean {
  return spec.annotations.indices.some(({ key }) => key === ROLLING_KEY);
}

export function withRolling<T extends Payload>(object: T, rolling: boolean): T {
  const { annotations } = object.spec;
  const others = annotations.indices.filter(({ key }) => key !== ROLLING_KEY);
  const indices = rolling ? [...others, create(IndexEntrySchema, { key: ROLLING_KEY })] : others;
  return { ...object, spec: { ...object.spec, annotations: { ...annotations, indices } } };
}
