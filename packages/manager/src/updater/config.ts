import { durationMs, type ServiceObject } from '@skep/wire';
import {
  UpdateConfig_FailureAction as FailureAction,
  type UpdateConfig,
  UpdateConfig_UpdateOrder as UpdateOrder,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';

/** How an update goes about it, with defaults filled in (features.md 3.3). */
export interface Rollout {
  /** Slots in work at a time; 0 means all. */
  parallelism: number;
  /** Wait after each slot before the next takes its place. */
  delayMs: number;
  failureAction: FailureAction;
  /** How long after it began to run a task's end still counts as the update's failure. */
  monitorMs: number;
  /** Share of failed slots that is still accepted, 0 … 1. */
  maxFailureRatio: number;
  order: UpdateOrder;
}

const PARALLELISM_DEFAULT = 1;
const MONITOR_DEFAULT_MS = 5_000;
/** What the last watch adds to a delay that is longer than the monitoring itself. */
const AFTER_DELAY_MS = 1_000;

export function rolloutOf(service: ServiceObject): Rollout {
  const back =
    isRollingBack(service) || service.updateStatus?.state === UpdateState.ROLLBACK_PAUSED;
  const config = back ? service.spec.rollback : service.spec.update;
  return {
    parallelism: Number(config?.parallelism ?? PARALLELISM_DEFAULT),
    delayMs: durationMs(config?.delay),
    failureAction: config?.failureAction ?? FailureAction.PAUSE,
    monitorMs: monitorMs(config),
    maxFailureRatio: config?.maxFailureRatio ?? 0,
    order: config?.order ?? UpdateOrder.STOP_FIRST,
  };
}

function monitorMs(config: UpdateConfig | undefined): number {
  return durationMs(config?.monitor, MONITOR_DEFAULT_MS);
}

/** How long the tasks are watched once the delay after the last slot is over. */
export function lastWatchMs({ delayMs, monitorMs }: Rollout): number {
  return delayMs >= monitorMs ? delayMs + AFTER_DELAY_MS : monitorMs;
}

export function isRollingBack(service: ServiceObject): boolean {
  return service.updateStatus?.state === UpdateState.ROLLBACK_STARTED;
}

/** Whether an update or rollback is under way. */
export function isUpdating(service: ServiceObject): boolean {
  return service.updateStatus?.state === UpdateState.UPDATING || isRollingBack(service);
}

/** Whether an update stopped and waits for the user. */
export function isPaused(service: ServiceObject): boolean {
  const state = service.updateStatus?.state;
  return state === UpdateState.PAUSED || state === UpdateState.ROLLBACK_PAUSED;
}
