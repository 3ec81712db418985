import {
  RestartPolicy_RestartCondition as Condition,
  UpdateConfig_FailureAction as FailureAction,
  type ServiceSpec,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import type { Draw } from '../../engine/index.js';
import type { Mode, Rollout, ServiceWish } from './spec.js';

const REPLICAS_MAX = 6;
const COMPLETIONS_MAX = 6;
const CONCURRENT_MAX = 4;

type Kind = Mode['kind'];

const KINDS: Readonly<Record<Kind, number>> = {
  replicated: 9,
  global: 3,
  replicatedJob: 4,
  globalJob: 2,
};

/** What a user does to a service of their own. */
export type Change =
  /** Another number of tasks. */
  | 'resize'
  /** Another image. */
  | 'update'
  /** Another image, whose tasks fail. */
  | 'worsen'
  | 'force'
  | 'rollback'
  | 'remove';

const CHANGES: Readonly<Record<Kind, Readonly<Record<Change, number>>>> = {
  replicated: { resize: 4, update: 3, worsen: 1, force: 1, rollback: 1, remove: 1 },
  global: { resize: 0, update: 3, worsen: 1, force: 1, rollback: 1, remove: 1 },
  replicatedJob: { resize: 2, update: 1, worsen: 0, force: 3, rollback: 1, remove: 1 },
  globalJob: { resize: 0, update: 1, worsen: 0, force: 3, rollback: 1, remove: 1 },
};

export function drawService(draw: Draw, name: string, image: string): ServiceWish {
  const mode = drawMode(draw, draw.weighted(KINDS));
  const isJob = mode.kind === 'replicatedJob' || mode.kind === 'globalJob';
  if (!isJob) return { name, mode, image, rollout: drawRollout(draw) };
  const restart = draw.pick([Condition.ANY, Condition.ON_FAILURE, Condition.NONE]);
  return { name, mode, image, restart };
}

export function drawMode(draw: Draw, kind: Kind): Mode {
  switch (kind) {
    case 'replicated':
      return { kind, replicas: draw.between(0, REPLICAS_MAX) };
    case 'replicatedJob': {
      const concurrent = draw.between(1, CONCURRENT_MAX);
      return { kind, total: draw.between(0, COMPLETIONS_MAX), concurrent };
    }
    default:
      return { kind };
  }
}

function drawRollout(draw: Draw): Rollout {
  const { CONTINUE, PAUSE, ROLLBACK } = FailureAction;
  return {
    parallelism: draw.between(0, 3),
    order: draw.pick([UpdateOrder.STOP_FIRST, UpdateOrder.START_FIRST]),
    failureAction: draw.pick([CONTINUE, PAUSE, ROLLBACK]),
    maxFailureRatio: draw.pick([0, 0, 0.4]),
    delayMs: draw.pick([0, 0, 200]),
    monitorMs: draw.pick([300, 1_000]),
  };
}

export function drawChange(draw: Draw, { mode }: ServiceSpec): Change {
  return draw.weighted(CHANGES[mode.case ?? 'replicated']);
}
