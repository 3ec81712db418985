import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  ContainerSpecSchema,
  GlobalJobSchema,
  GlobalServiceSchema,
  type MountSchema,
  PlacementSchema,
  ReplicatedJobSchema,
  ReplicatedServiceSchema,
  RestartPolicySchema,
  type ServiceSpec,
  type TaskSpec,
  TaskSpecSchema,
  UpdateConfigSchema,
} from '@skep/wire/swarmkit';

interface SpecOptions {
  image?: string;
  mounts?: MessageInitShape<typeof MountSchema>[];
  constraints?: string[];
  restart?: MessageInitShape<typeof RestartPolicySchema>;
  update?: MessageInitShape<typeof UpdateConfigSchema>;
  rollback?: MessageInitShape<typeof UpdateConfigSchema>;
  task?: Partial<TaskSpec>;
}

/** The part of a replicated service's spec that tests vary. */
export function replicatedSpec(options: SpecOptions & { replicas: number }): Partial<ServiceSpec> {
  const value = create(ReplicatedServiceSchema, { replicas: BigInt(options.replicas) });
  return { ...spec(options), mode: { case: 'replicated', value } };
}

/** The part of a global service's spec that tests vary. */
export function globalSpec(options: SpecOptions = {}): Partial<ServiceSpec> {
  return { ...spec(options), mode: { case: 'global', value: create(GlobalServiceSchema) } };
}

/** The part of a replicated job's spec that tests vary; all tasks at a time if nothing is said. */
export function replicatedJobSpec(
  options: SpecOptions & { total: number; concurrent?: number },
): Partial<ServiceSpec> {
  const { total, concurrent = total } = options;
  const value = create(ReplicatedJobSchema, {
    totalCompletions: BigInt(total),
    maxConcurrent: BigInt(concurrent),
  });
  return { ...spec(options), mode: { case: 'replicatedJob', value } };
}

/** The part of a global job's spec that tests vary. */
export function globalJobSpec(options: SpecOptions = {}): Partial<ServiceSpec> {
  return { ...spec(options), mode: { case: 'globalJob', value: create(GlobalJobSchema) } };
}

function spec(options: SpecOptions): Partial<ServiceSpec> {
  const { image = 'web:1', mounts = [], constraints = [], restart, update, rollback } = options;
  const container = create(ContainerSpecSchema, { image, mounts });
  const runtime = { case: 'container', value: container } as const;
  const placement = create(PlacementSchema, { constraints });
  const task = create(TaskSpecSchema, { runtime, placement });
  if (restart) task.restart = create(RestartPolicySchema, restart);
  return {
    task: { ...task, ...options.task },
    update: update && create(UpdateConfigSchema, update),
    rollback: rollback && create(UpdateConfigSchema, rollback),
  };
}
