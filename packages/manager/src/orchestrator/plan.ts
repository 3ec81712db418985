import type { ReadView } from '@skep/store';
import type { ServiceObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { type Step, stop } from '../loop/plan.js';
import type { Decision } from '../loop/planner.js';
import { planGlobal } from './global.js';
import { planGlobalJob, planReplicatedJob } from './jobs.js';
import type { ServiceMode } from './mode.js';
import type { PlanContext } from './new-task.js';
import { planReplicated } from './replicated.js';

type ServicePlan = (view: ReadView, service: ServiceObject, context: PlanContext) => Decision;

/** How each mode gets its tasks. */
const PLANS: Record<ServiceMode, ServicePlan> = {
  replicated: planReplicated,
  global: planGlobal,
  replicatedJob: planReplicatedJob,
  globalJob: planGlobalJob,
};

/** Creates the tasks a service lacks and gives up those it should not have. */
export function planService(view: ReadView, serviceId: string, context: PlanContext): Decision {
  const service = view.get('service', serviceId);
  if (!service) return { steps: planRemoved(view, serviceId) };
  const mode = service.spec.mode.case;
  return mode ? PLANS[mode](view, service, context) : { steps: [] };
}

/** A service that is gone leaves no tasks behind. */
function planRemoved(view: ReadView, serviceId: string): Step[] {
  return stop(view.tasksOfService(serviceId), TaskState.REMOVE);
}
