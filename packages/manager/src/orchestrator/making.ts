import type { ReadView } from '@skep/store';
import type { ServiceObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { TASKS_COMING_MAX, TASKS_COMING_RECHECK_MS, TASKS_MADE_MAX } from './limits.js';
import { isLive } from './slot.js';

/** How many of the tasks a service lacks are made now. */
export interface Making {
  count: number;
  /** Service and ms until the rest may follow. */
  wakes?: readonly (readonly [serviceId: string, delayMs: number])[];
}

/** A service that lacks many tasks gets them in parts. */
export function making(view: ReadView, service: ServiceObject, lacking: number): Making {
  if (lacking <= 0) return { count: 0 };
  const room = TASKS_COMING_MAX - countComing(view, service);
  const count = Math.max(0, Math.min(lacking, room, TASKS_MADE_MAX));
  if (count === lacking) return { count };
  const delayMs = count === TASKS_MADE_MAX ? 0 : TASKS_COMING_RECHECK_MS;
  return { count, wakes: [[service.id, delayMs]] };
}

function countComing(view: ReadView, service: ServiceObject): number {
  let coming = 0;
  for (const task of view.tasksOfService(service.id)) {
    if (isLive(task) && task.status.state < TaskState.RUNNING) coming++;
  }
  return coming;
}
