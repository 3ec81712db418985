import { timestampIso } from '@skep/wire';
import { type Task, TaskState, type TaskStatus } from '@skep/wire/swarmkit';
import { portToJson } from './endpoint.js';
import { enumText, type Json, omitEmpty, remembered, toNumber } from './json.js';
import { annotationsToJson, metaToJson, versionToJson } from './meta.js';
import { attachmentToJson } from './network.js';
import { genericToJson } from './resources.js';
import { taskSpecToJson } from './task-spec.js';

const specToJson = remembered(taskSpecToJson);

export function taskToJson(task: Task): Json {
  const { spec, status, volumes } = task;
  return {
    ID: task.id,
    ...metaToJson(task.meta),
    ...annotationsToJson(task.annotations),
    Spec: spec ? specToJson(spec) : { ForceUpdate: 0 },
    ...omitEmpty({
      ServiceID: task.serviceId,
      Slot: toNumber(task.slot),
      NodeID: task.nodeId,
      DesiredState: enumText(TaskState, task.desiredState),
      NetworksAttachments: task.networks.map(attachmentToJson),
      GenericResources: genericToJson(task.assignedGenericResources),
    }),
    Status: status ? statusToJson(status) : { PortStatus: {} },
    JobIteration: task.jobIteration && versionToJson(task.jobIteration),
    Volumes:
      volumes.length > 0
        ? volumes.map(({ id, source, target }) => ({ ID: id, Source: source, Target: target }))
        : null,
  };
}

function statusToJson(status: TaskStatus): Json {
  const container =
    status.runtimeStatus.case === 'container' ? status.runtimeStatus.value : undefined;
  return {
    Timestamp: timestampIso(status.timestamp),
    ...omitEmpty({
      State: enumText(TaskState, status.state),
      Message: status.message,
      Err: status.err,
    }),
    ContainerStatus: container && {
      ContainerID: container.containerId,
      PID: container.pid,
      ExitCode: container.exitCode,
    },
    PortStatus: omitEmpty({ Ports: status.portStatus?.ports.map(portToJson) }),
  };
}
