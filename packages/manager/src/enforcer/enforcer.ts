import type { Change, ReadView } from '@skep/store';
import type { Decision, LoopOptions } from '../loop/planner.js';
import { PlanningLoop } from '../loop/planning-loop.js';
import { planEnforcement } from './plan.js';

/** Watches that nodes keep satisfying the tasks they were given. */
export class ConstraintEnforcer extends PlanningLoop {
  constructor(options: LoopOptions) {
    super('constraint enforcer', options);
  }

  protected decide(view: ReadView, nodeIds: readonly string[], nowMs: number): Decision {
    return { steps: nodeIds.flatMap((id) => planEnforcement(view, id, nowMs)) };
  }

  protected onChange({ table, kind, object }: Change): void {
    if (table === 'node' && kind !== 'remove') this.mark(object.id);
  }

  protected markAll(): void {
    for (const node of this.store.view.all('node')) this.mark(node.id);
  }
}
