import type { ReadView } from '@skep/store';
import type { NodeObject, ServiceObject } from '@skep/wire';
import { NodeSpec_Availability, TaskState } from '@skep/wire/swarmkit';
import { constraintsOf, nodeMatches } from '../constraint/index.js';
import { createTask, type Step, stop } from '../loop/plan.js';
import type { Decision } from '../loop/planner.js';
import { newTask, type PlanContext } from './new-task.js';
import { isHeld } from './replicated.js';
import { isLost, slotsOf } from './slot.js';

/** Brings a global service to one task on each node that can have one. */
export function planGlobal(view: ReadView, service: ServiceObject, context: PlanContext): Decision {
  const slots = slotsOf(view, service);
  const steps: Step[] = [];
  for (const node of view.all('node')) {
    const slot = slots.get(node.id) ?? [];
    slots.delete(node.id);
    if (!mayHaveTask(service, node)) {
      steps.push(...stop(slot, TaskState.SHUTDOWN));
    } else if (isActive(node) && !isHeld(view, service, slot)) {
      const task = newTask(view, service, { nodeId: node.id }, TaskState.RUNNING, context);
      steps.push([createTask(task)]);
    }
  }
  // What is left was on nodes that are no more; nobody will ever report those tasks stopped.
  for (const slot of slots.values()) steps.push(...stop(slot, TaskState.REMOVE));
  return { steps };
}

/** Whether a running task may stay on the node. */
export function mayHaveTask(service: ServiceObject, node: NodeObject): boolean {
  return !isLost(node) && nodeMatches(constraintsOf(service.spec.task.placement), node);
}

/** Whether the node takes new and updated tasks; a paused one keeps what it has, as it is. */
export function isActive(node: NodeObject): boolean {
  return node.spec.availability === NodeSpec_Availability.ACTIVE;
}
