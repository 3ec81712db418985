import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@skep/wire';
import {
  RestartPolicy_RestartCondition as Condition,
  UpdateConfig_FailureAction as FailureAction,
  GlobalJobSchema,
  GlobalServiceSchema,
  ReplicatedJobSchema,
  ReplicatedServiceSchema,
  type ServiceSpec,
  ServiceSpecSchema,
  type UpdateConfig,
  UpdateConfigSchema,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import { NETWORK } from '../specs.js';
import type { Wish } from '../wishes.js';

/** How many tasks a service is to have, and whether they run on or come to their end. */
export type Mode =
  | { kind: 'replicated'; replicas: number }
  | { kind: 'global' }
  | { kind: 'replicatedJob'; total: number; concurrent: number }
  | { kind: 'globalJob' };

/** How a service goes from one spec to the next, and back. */
export interface Rollout {
  /** Slots at a time; 0 means all. */
  parallelism: number;
  order: UpdateOrder;
  failureAction: FailureAction;
  /** 0 … 1. */
  maxFailureRatio: number;
  delayMs: number;
  monitorMs: number;
}

/** What a user asks for when making a service. */
export interface ServiceWish {
  name: string;
  mode: Mode;
  image: string;
  /** Of services that run on. */
  rollout?: Rollout;
  /** What its containers read. */
  config?: { id: string; name: string };
  /** When tasks that ended are replaced; always unless given. */
  restart?: Condition;
}

/** Short, so that what restarts does so within a run. */
const RESTART_DELAY_MS = 500;

const CALM_ROLLOUT: Rollout = {
  parallelism: 1,
  order: UpdateOrder.STOP_FIRST,
  failureAction: FailureAction.CONTINUE,
  maxFailureRatio: 0,
  delayMs: 0,
  monitorMs: 500,
};

export function serviceSpec(wish: ServiceWish): ServiceSpec {
  const { config, image, mode, name, restart = Condition.ANY, rollout = CALM_ROLLOUT } = wish;
  const runsOn = mode.kind === 'replicated' || mode.kind === 'global';
  return create(ServiceSpecSchema, {
    annotations: { name },
    task: {
      networks: [{ target: NETWORK, aliases: [`${name}-alias`] }],
      runtime: { case: 'container', value: { image, configs: config ? [configFile(config)] : [] } },
      restart: { condition: restart, delay: durationFromMs(RESTART_DELAY_MS) },
    },
    mode: modeOf(mode),
    ...(runsOn && {
      // By the mesh as well, on a port that the swarm picks.
      endpoint: { ports: [{ targetPort: 80 }] },
      update: updateConfig(rollout),
      rollback: updateConfig({ ...rollout, failureAction: actionOfRollback(rollout) }),
    }),
  });
}

function configFile({ id: configId, name: configName }: { id: string; name: string }) {
  const file = { name: '/config', uid: '0', gid: '0', mode: 0o444 };
  return { configId, configName, target: { case: 'file' as const, value: file } };
}

function modeOf(mode: Mode): ServiceSpec['mode'] {
  switch (mode.kind) {
    case 'replicated': {
      const replicas = BigInt(mode.replicas);
      return { case: 'replicated', value: create(ReplicatedServiceSchema, { replicas }) };
    }
    case 'global':
      return { case: 'global', value: create(GlobalServiceSchema) };
    case 'replicatedJob': {
      const [totalCompletions, maxConcurrent] = [BigInt(mode.total), BigInt(mode.concurrent)];
      const value = create(ReplicatedJobSchema, { totalCompletions, maxConcurrent });
      return { case: 'replicatedJob', value };
    }
    case 'globalJob':
      return { case: 'globalJob', value: create(GlobalJobSchema) };
  }
}

function updateConfig({ delayMs, monitorMs, parallelism, ...rest }: Rollout): UpdateConfig {
  return create(UpdateConfigSchema, {
    ...rest,
    parallelism: BigInt(parallelism),
    delay: durationFromMs(delayMs),
    monitor: durationFromMs(monitorMs),
  });
}

/** What takes back has nothing to go back to. */
function actionOfRollback({ failureAction }: Rollout): FailureAction {
  return failureAction === FailureAction.CONTINUE ? FailureAction.CONTINUE : FailureAction.PAUSE;
}

/** The spec with another number of tasks. */
export function withMode(spec: ServiceSpec, mode: Mode): ServiceSpec {
  return { ...spec, mode: modeOf(mode) };
}

export function withImage(spec: ServiceSpec, image: string): ServiceSpec {
  const { task } = spec;
  if (task?.runtime.case !== 'container') return spec;
  const runtime = { case: 'container' as const, value: { ...task.runtime.value, image } };
  return { ...spec, task: { ...task, runtime } };
}

/** The spec as `docker service update --force` writes it: all tasks are replaced, jobs run again. */
export function withForce(spec: ServiceSpec): ServiceSpec {
  const { task } = spec;
  return task ? { ...spec, task: { ...task, forceUpdate: task.forceUpdate + 1n } } : spec;
}

/** What a user asks for with a spec. */
export function wishOf(spec: Pick<ServiceSpec, 'annotations' | 'mode' | 'task' | 'update'>): Wish {
  const returns = spec.update?.failureAction === FailureAction.ROLLBACK;
  return { name: spec.annotations?.name ?? '', text: describeSpec(spec), returns };
}

/** What a user may change of a service, in words: two specs of a service are one when they read the same. */
export function describeSpec({ mode, task }: Pick<ServiceSpec, 'mode' | 'task'>): string {
  const image = task?.runtime.case === 'container' ? task.runtime.value.image : '';
  return `${describeMode(mode)} of ${image}, forced ${task?.forceUpdate ?? 0} times`;
}

function describeMode(mode: ServiceSpec['mode']): string {
  if (mode.case === 'replicated') return `${mode.value.replicas}`;
  if (mode.case !== 'replicatedJob') return mode.case ?? 'nothing';
  return `a job of ${mode.value.totalCompletions}, ${mode.value.maxConcurrent} at a time,`;
}
