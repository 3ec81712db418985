import { create } from '@bufbuild/protobuf';
import { type TaskSpec, TaskSpecSchema } from '@skep/wire/swarmkit';
import { HttpError } from '../../server/errors.js';
import { invalid } from '../errors.js';
import { containerFromJson, containerToJson } from './container.js';
import { type Json, omitEmpty, toNumber } from './json.js';
import { driverFromJson, driverToJson } from './meta.js';
import {
  attachmentConfigFromJson,
  attachmentConfigToJson,
  placementFromJson,
  placementToJson,
} from './placement.js';
import { restartFromJson, restartToJson } from './policies.js';
import type { JsonReader } from './reader.js';
import { requirementsFromJson, requirementsToJson } from './resources.js';

export function taskSpecToJson(spec: TaskSpec): Json {
  const { runtime } = spec;
  return {
    ContainerSpec: runtime.case === 'container' ? containerToJson(runtime.value) : undefined,
    NetworkAttachmentSpec:
      runtime.case === 'attachment' ? { ContainerID: runtime.value.containerId } : undefined,
    Resources: requirementsToJson(spec),
    RestartPolicy: restartToJson(spec.restart),
    Placement: placementToJson(spec.placement),
    ...omitEmpty({ Networks: spec.networks.map(attachmentConfigToJson) }),
    LogDriver: driverToJson(spec.logDriver),
    ForceUpdate: toNumber(spec.forceUpdate),
    Runtime: runtime.case === 'attachment' ? 'attachment' : undefined,
  };
}

/** Only container tasks can be asked for. */
export function taskSpecFromJson(json: JsonReader | undefined): TaskSpec {
  const runtime = json?.string('Runtime') ?? '';
  if (runtime === 'plugin') {
    throw new HttpError(501, 'services that run plugins are not supported; run a container');
  }
  if (runtime !== '' && runtime !== 'container') throw invalid('unsupported runtime');
  const container = json?.object('ContainerSpec');
  if (!json || !container) throw invalid('mismatched Runtime and *Spec fields');
  const value = containerFromJson(container);
  value.pidsLimit = json.object('Resources')?.object('Limits')?.int64('Pids') ?? 0n;
  return create(TaskSpecSchema, {
    runtime: { case: 'container', value },
    resources: requirementsFromJson(json.object('Resources')),
    restart: restartFromJson(json.object('RestartPolicy')),
    placement: placementFromJson(json.object('Placement')),
    logDriver: driverFromJson(json.object('LogDriver')),
    networks: json.objects('Networks').map(attachmentConfigFromJson),
    forceUpdate: json.uint64('ForceUpdate'),
  });
}
