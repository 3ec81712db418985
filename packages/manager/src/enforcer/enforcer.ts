import type { ControlLoop } from '../contract.js';
import { type LoopOptions, Planner } from '../loop/planner.js';
import { planEnforcement } from './plan.js';

/** Watches that nodes keep satisfying the tasks they were given. */
export class ConstraintEnforcer implements ControlLoop {
  readonly #options: LoopOptions;
  readonly #planner: Planner;
  #unsubscribe = () => {};

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#planner = new Planner({
      ...options,
      name: 'constraint enforcer',
      decide: (view, nodeIds, nowMs) => ({
        steps: nodeIds.flatMap((id) => planEnforcement(view, id, nowMs)),
      }),
    });
  }

  start(): void {
    const { store } = this.#options;
    this.#unsubscribe = store.subscribe((commit) => {
      for (const change of commit.changes) {
        if (change.table === 'node' && change.kind !== 'remove') {
          this.#planner.mark(change.object.id);
        }
      }
    });
    for (const node of store.view.all('node')) this.#planner.mark(node.id);
    this.#planner.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#planner.stop();
  }
}
