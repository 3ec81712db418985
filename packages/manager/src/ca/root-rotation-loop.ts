import type { Change, ReadView } from '@skep/store';
import { CLUSTER_NAME } from '../control/cluster/refused-certificates.js';
import type { Step } from '../loop/plan.js';
import { type Decision, type LoopOptions, Planner } from '../loop/planner.js';
import { ROTATE_BATCH_MAX, ROTATE_INTERVAL_MS } from './limits.js';
import { askedToRenew, canBeAsked, nodesBehind, withNewRoot } from './root-rotation.js';

/** There is one thing to look at: the cluster's root. */
const KEY = 'root';

/**
 * Sees a rotation of the root through: has nodes renew their certificates, some at a time, and once
 * all of them show the new root's, makes that the only one. Nodes that are down count: the swarm
 * would lose them. Removing them lets the rotation finish.
 */
export class RootRotationLoop {
  readonly #options: LoopOptions;
  readonly #planner: Planner;
  /** Monotonic time from which the next nodes may be asked. */
  #nextBatchMs = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#planner = new Planner({
      ...options,
      name: 'root rotation',
      decide: (view) => this.#decide(view),
    });
  }

  start(): void {
    this.#nextBatchMs = 0;
    this.#planner.mark(KEY);
    this.#planner.start();
  }

  stop(): Promise<void> {
    return this.#planner.stop();
  }

  onChange({ table }: Change): void {
    if (table === 'cluster' || (table === 'node' && this.#isRotating())) this.#planner.mark(KEY);
  }

  #isRotating(): boolean {
    const cluster = this.#options.store.view.named('cluster', CLUSTER_NAME);
    return cluster?.rootCa.rootRotation !== undefined;
  }

  #decide(view: ReadView): Decision {
    const { clock, random, log } = this.#options;
    const cluster = view.named('cluster', CLUSTER_NAME);
    const rotation = cluster?.rootCa.rootRotation;
    if (!rotation) return { steps: [] };
    const behind = nodesBehind(view, rotation);
    if (behind.length === 0) {
      log.info({}, 'completed root rotation');
      const object = withNewRoot(cluster, rotation, random);
      return { steps: [[{ kind: 'update', table: 'cluster', object }]] };
    }
    const waitMs = this.#nextBatchMs - clock.monotonic();
    if (waitMs > 0) return { steps: [], wakes: [[KEY, waitMs]] };
    this.#nextBatchMs = clock.monotonic() + ROTATE_INTERVAL_MS;
    const asked = behind.filter(canBeAsked).slice(0, ROTATE_BATCH_MAX);
    const steps = asked.map((node): Step => {
      return [{ kind: 'update', table: 'node', object: askedToRenew(node) }];
    });
    return { steps, wakes: [[KEY, ROTATE_INTERVAL_MS]] };
  }
}
