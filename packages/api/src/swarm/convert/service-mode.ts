import { create } from '@bufbuild/protobuf';
import {
  GlobalJobSchema,
  GlobalServiceSchema,
  ReplicatedJobSchema,
  ReplicatedServiceSchema,
  type ServiceSpec,
} from '@skep/wire/swarmkit';
import { invalid } from '../errors.js';
import { type Json, toNumber } from './json.js';
import type { JsonReader } from './reader.js';

type Mode = ServiceSpec['mode'];

export function modeToJson(mode: Mode): Json {
  switch (mode.case) {
    case 'replicated':
      return { Replicated: { Replicas: toNumber(mode.value.replicas) } };
    case 'global':
      return { Global: {} };
    case 'replicatedJob':
      return {
        ReplicatedJob: {
          MaxConcurrent: toNumber(mode.value.maxConcurrent),
          TotalCompletions: toNumber(mode.value.totalCompletions),
        },
      };
    case 'globalJob':
      return { GlobalJob: {} };
    default:
      return {};
  }
}

/** The text of the `mode` filter. */
export function modeText(mode: Mode): string {
  switch (mode.case) {
    case 'replicatedJob':
      return 'replicated-job';
    case 'globalJob':
      return 'global-job';
    default:
      return mode.case ?? '';
  }
}

/** One replica where nothing is said. */
export function modeFromJson(json: JsonReader | undefined): Mode {
  const names = ['Replicated', 'Global', 'ReplicatedJob', 'GlobalJob'];
  if (names.filter((name) => json?.object(name)).length > 1) {
    throw invalid('must specify only one service mode');
  }
  if (json?.object('Global')) return { case: 'global', value: create(GlobalServiceSchema) };
  if (json?.object('GlobalJob')) return { case: 'globalJob', value: create(GlobalJobSchema) };
  const job = json?.object('ReplicatedJob');
  if (job) {
    const maxConcurrent = job.optionalUint64('MaxConcurrent') ?? 1n;
    const totalCompletions = job.optionalUint64('TotalCompletions') ?? maxConcurrent;
    const value = create(ReplicatedJobSchema, { maxConcurrent, totalCompletions });
    return { case: 'replicatedJob', value };
  }
  const replicas = json?.object('Replicated')?.optionalUint64('Replicas') ?? 1n;
  return { case: 'replicated', value: create(ReplicatedServiceSchema, { replicas }) };
}
