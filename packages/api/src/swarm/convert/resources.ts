import { create } from '@bufbuild/protobuf';
import {
  DiscreteGenericResourceSchema,
  type GenericResource,
  GenericResourceSchema,
  NamedGenericResourceSchema,
  type ResourceRequirements,
  ResourceRequirementsSchema,
  type Resources,
  ResourcesSchema,
  type TaskSpec,
} from '@skep/wire/swarmkit';
import { type Json, omitEmpty, toNumber } from './json.js';
import type { JsonReader } from './reader.js';

export function resourcesToJson(resources: Resources | undefined): Json | undefined {
  return (
    resources &&
    omitEmpty({
      NanoCPUs: toNumber(resources.nanoCpus),
      MemoryBytes: toNumber(resources.memoryBytes),
      GenericResources: genericToJson(resources.generic),
    })
  );
}

/** Limits and reservations. The limit of processes is kept with the container in the swarm's spec. */
export function requirementsToJson({ resources, runtime }: TaskSpec): Json | undefined {
  const pids = runtime.case === 'container' ? runtime.value.pidsLimit : 0n;
  if (!resources && pids === 0n) return undefined;
  const { limits, reservations, swapBytes, memorySwappiness } = resources ?? {};
  const hasLimits = limits !== undefined || pids !== 0n;
  return {
    Limits: hasLimits
      ? omitEmpty({
          NanoCPUs: toNumber(limits?.nanoCpus ?? 0n),
          MemoryBytes: toNumber(limits?.memoryBytes ?? 0n),
          Pids: toNumber(pids),
        })
      : undefined,
    Reservations: resourcesToJson(reservations),
    SwapBytes: swapBytes === undefined ? undefined : toNumber(swapBytes),
    MemorySwappiness: memorySwappiness === undefined ? undefined : toNumber(memorySwappiness),
  };
}

export function requirementsFromJson(
  json: JsonReader | undefined,
): ResourceRequirements | undefined {
  if (!json) return undefined;
  return create(ResourceRequirementsSchema, {
    limits: resourcesFromJson(json.object('Limits')),
    reservations: resourcesFromJson(json.object('Reservations')),
    swapBytes: json.optionalInt64('SwapBytes'),
    memorySwappiness: json.optionalInt64('MemorySwappiness'),
  });
}

function resourcesFromJson(json: JsonReader | undefined): Resources | undefined {
  if (!json) return undefined;
  return create(ResourcesSchema, {
    nanoCpus: json.int64('NanoCPUs'),
    memoryBytes: json.int64('MemoryBytes'),
    generic: json.objects('GenericResources').map(genericFromJson),
  });
}

export function genericToJson(generic: readonly GenericResource[]): Json[] {
  return generic.map(({ resource }) => {
    switch (resource.case) {
      case 'discreteResourceSpec': {
        const { kind, value } = resource.value;
        return { DiscreteResourceSpec: omitEmpty({ Kind: kind, Value: toNumber(value) }) };
      }
      case 'namedResourceSpec': {
        const { kind, value } = resource.value;
        return { NamedResourceSpec: omitEmpty({ Kind: kind, Value: value }) };
      }
      default:
        return {};
    }
  });
}

function genericFromJson(json: JsonReader): GenericResource {
  const discrete = json.object('DiscreteResourceSpec');
  const named = json.object('NamedResourceSpec');
  if (discrete) {
    const value = create(DiscreteGenericResourceSchema, {
      kind: discrete.string('Kind'),
      value: discrete.int64('Value'),
    });
    return create(GenericResourceSchema, { resource: { case: 'discreteResourceSpec', value } });
  }
  const value = create(NamedGenericResourceSchema, {
    kind: named?.string('Kind') ?? '',
    value: named?.string('Value') ?? '',
  });
  return create(GenericResourceSchema, { resource: { case: 'namedResourceSpec', value } });
}
