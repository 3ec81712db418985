import { create } from '@bufbuild/protobuf';
import { matchLabels, parseInstantMs } from '@skep/containers';
import type { Control } from '@skep/manager';
import { ListServicesRequestSchema } from '@skep/wire/swarmkit';
import { HttpError } from '../server/errors.js';
import type { Json } from './convert/json.js';

export const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];
export const PRUNE_FILTERS = ['label', 'label!', 'until'];

type Wanted = Readonly<Record<string, readonly string[]>>;
type Labels = Record<string, string>;

/** Docker's list filters, `dangling` aside, for a network of the swarm. */
export function matchesList(network: Json, wanted: Wanted): boolean {
  const tests: Record<string, (value: string) => boolean> = {
    driver: (value) => network.Driver === value,
    id: (value) => String(network.Id).startsWith(value),
    name: (value) => String(network.Name).includes(value),
    scope: (value) => value === 'swarm',
    type: (value) => value === 'custom',
  };
  return (
    matchLabels(network.Labels as Labels, wanted.label ?? []) &&
    Object.entries(tests).every(([key, test]) => {
      const values = wanted[key] ?? [];
      return values.length === 0 || values.some(test);
    })
  );
}

/** The `dangling` filter: true for networks that nobody uses, false for the others. */
export function wantsDangling(wanted: Wanted): boolean | undefined {
  const [value] = wanted.dangling ?? [];
  return value === undefined ? undefined : ['1', 'true'].includes(value);
}

/** Ids of the networks that services use, the mesh's among them where one publishes through it. */
export async function usedNetworks(control: Control): Promise<Set<string>> {
  const { services } = await control.listServices(create(ListServicesRequestSchema));
  return new Set(
    services.flatMap(({ spec, endpoint }) => [
      ...[...(spec?.task?.networks ?? []), ...(spec?.networks ?? [])].map(({ target }) => target),
      ...(endpoint?.virtualIps ?? []).map(({ networkId }) => networkId),
    ]),
  );
}

/** The filters of `prune`: made before `until`, with all of `label`, with none of `label!`. */
export function matchesPrune(network: Json, wanted: Wanted, untilMs: number | undefined): boolean {
  const labels = network.Labels as Labels;
  const isYoung = untilMs !== undefined && Date.parse(String(network.Created)) > untilMs;
  const excluded = wanted['label!'] ?? [];
  return (
    !isYoung &&
    matchLabels(labels, wanted.label ?? []) &&
    (excluded.length === 0 || !matchLabels(labels, excluded))
  );
}

/** What `until` says, in ms since the epoch. */
export function untilMs(wanted: Wanted, nowMs: number): number | undefined {
  const [text, ...others] = wanted.until ?? [];
  if (others.length > 0) throw new HttpError(400, 'more than one until filter specified');
  return text === undefined ? undefined : parseInstantMs(text, nowMs);
}
