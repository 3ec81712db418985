import { create } from '@bufbuild/protobuf';
import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { type CompleteServiceSpec, completeServiceSpec, timestampIso } from '@skep/wire';
import {
  type ListServiceStatusesResponse_ServiceStatus,
  type Service,
  type ServiceSpec,
  ServiceSpecSchema,
  type UpdateStatus,
  UpdateStatus_UpdateState,
} from '@skep/wire/swarmkit';
import { endpointSpecFromJson, endpointSpecToJson, endpointToJson } from './endpoint.js';
import { enumText, type Json, omitEmpty, toNumber } from './json.js';
import { annotationsFromJson, annotationsToJson, metaToJson, versionToJson } from './meta.js';
import { attachmentConfigFromJson, attachmentConfigToJson } from './placement.js';
import { updateConfigFromJson, updateConfigToJson } from './policies.js';
import type { JsonReader } from './reader.js';
import { modeFromJson, modeToJson } from './service-mode.js';
import { taskSpecFromJson, taskSpecToJson } from './task-spec.js';

export function serviceToJson(service: Service): Json {
  const { spec, previousSpec, jobStatus } = service;
  return {
    ID: service.id,
    ...metaToJson(service.meta),
    Spec: spec && serviceSpecToJson(spec),
    PreviousSpec: previousSpec && serviceSpecToJson(previousSpec),
    Endpoint: endpointToJson(service.endpoint),
    UpdateStatus: service.updateStatus && updateStatusToJson(service.updateStatus),
    JobStatus: jobStatus && {
      JobIteration: versionToJson(jobStatus.jobIteration),
      LastExecution: timestampIso(jobStatus.lastExecution),
    },
  };
}

/** The `ServiceStatus` of a list with `status=true`. */
export function serviceStatusToJson(status: ListServiceStatusesResponse_ServiceStatus): Json {
  return {
    RunningTasks: toNumber(status.runningTasks),
    DesiredTasks: toNumber(status.desiredTasks),
    CompletedTasks: toNumber(status.completedTasks),
  };
}

function updateStatusToJson(status: UpdateStatus): Json {
  const state =
    status.state === UpdateStatus_UpdateState.UNKNOWN
      ? ''
      : enumText(UpdateStatus_UpdateState, status.state);
  return {
    ...omitEmpty({ State: state, Message: status.message }),
    StartedAt: optionalTime(status.startedAt),
    CompletedAt: optionalTime(status.completedAt),
  };
}

function optionalTime(time: Timestamp | undefined): string | undefined {
  return time && time.seconds !== 0n ? timestampIso(time) : undefined;
}

export function serviceSpecToJson(spec: ServiceSpec): Json {
  const task = spec.task && taskSpecToJson(spec.task);
  const isContainer = spec.task?.runtime.case === 'container';
  return {
    ...annotationsToJson(spec.annotations),
    TaskTemplate: isContainer ? { ...task, Runtime: 'container' } : task,
    Mode: modeToJson(spec.mode),
    UpdateConfig: updateConfigToJson(spec.update),
    RollbackConfig: updateConfigToJson(spec.rollback),
    ...omitEmpty({ Networks: spec.networks.map(attachmentConfigToJson) }),
    EndpointSpec: endpointSpecToJson(spec.endpoint),
  };
}

/** Reads a spec; throws Docker's text for what it cannot mean (features.md 2.5). */
export function serviceSpecFromJson(json: JsonReader): CompleteServiceSpec {
  const spec = create(ServiceSpecSchema, {
    annotations: annotationsFromJson(json),
    task: taskSpecFromJson(json.object('TaskTemplate')),
    mode: modeFromJson(json.object('Mode')),
    update: updateConfigFromJson(json.object('UpdateConfig')),
    rollback: updateConfigFromJson(json.object('RollbackConfig')),
    networks: json.objects('Networks').map(attachmentConfigFromJson),
    endpoint: endpointSpecFromJson(json.object('EndpointSpec')),
  });
  return completeServiceSpec(spec);
}
