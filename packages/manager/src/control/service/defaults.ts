import { create } from '@bufbuild/protobuf';
import { type CompleteServiceSpec, durationFromMs } from '@skep/wire';
import {
  type ContainerSpec,
  ContainerSpec_DNSConfigSchema,
  ContainerSpec_PullOptionsSchema,
  PlacementSchema,
  ResourceRequirementsSchema,
  ResourcesSchema,
  type RestartPolicy,
  RestartPolicy_RestartCondition,
  RestartPolicySchema,
  type TaskSpec,
  type UpdateConfig,
  UpdateConfig_FailureAction,
  UpdateConfig_UpdateOrder,
  UpdateConfigSchema,
} from '@skep/wire/swarmkit';

/** What a service gets where its spec is silent (wire.md 4.1). */
export const SERVICE_DEFAULTS = {
  stopGracePeriodMs: 10_000,
  restartDelayMs: 5_000,
  updateMonitorMs: 5_000,
  updateParallelism: 1n,
} as const;

/** The spec with every default written out, as `docker inspect` shows it. The given one stays as it is. */
export function withServiceDefaults(spec: CompleteServiceSpec): CompleteServiceSpec {
  return {
    ...spec,
    task: withTaskDefaults(spec.task),
    update: withUpdateDefaults(spec.update),
    rollback: withUpdateDefaults(spec.rollback),
  };
}

function withTaskDefaults(task: TaskSpec): TaskSpec {
  const { runtime } = task;
  return {
    ...task,
    runtime:
      runtime.case === 'container'
        ? { case: 'container', value: withContainerDefaults(runtime.value) }
        : runtime,
    resources:
      task.resources ??
      create(ResourceRequirementsSchema, {
        limits: create(ResourcesSchema),
        reservations: create(ResourcesSchema),
      }),
    restart: withRestartDefaults(task.restart),
    placement: task.placement ?? create(PlacementSchema),
  };
}

function withContainerDefaults(container: ContainerSpec): ContainerSpec {
  return {
    ...container,
    stopGracePeriod:
      container.stopGracePeriod ?? durationFromMs(SERVICE_DEFAULTS.stopGracePeriodMs),
    pullOptions: container.pullOptions ?? create(ContainerSpec_PullOptionsSchema),
    dnsConfig: container.dnsConfig ?? create(ContainerSpec_DNSConfigSchema),
  };
}

function withRestartDefaults(policy: RestartPolicy | undefined): RestartPolicy {
  const base =
    policy ?? create(RestartPolicySchema, { condition: RestartPolicy_RestartCondition.ANY });
  return { ...base, delay: base.delay ?? durationFromMs(SERVICE_DEFAULTS.restartDelayMs) };
}

function withUpdateDefaults(config: UpdateConfig | undefined): UpdateConfig {
  const base =
    config ??
    create(UpdateConfigSchema, {
      parallelism: SERVICE_DEFAULTS.updateParallelism,
      failureAction: UpdateConfig_FailureAction.PAUSE,
      order: UpdateConfig_UpdateOrder.STOP_FIRST,
    });
  return { ...base, monitor: base.monitor ?? durationFromMs(SERVICE_DEFAULTS.updateMonitorMs) };
}
