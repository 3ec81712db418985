import type { Change, Commit } from '@skep/store';
import type { NodeObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import type { ControlLoop } from '../contract.js';
import type { Step } from '../loop/plan.js';
import { type Decision, type LoopOptions, Planner } from '../loop/planner.js';
import { hasEnded, isLive, slotKey } from '../orchestrator/slot.js';
import { planSlotRestarts } from './plan.js';

/**
 * Replaces tasks that ended or were lost with their node, as their restart policy says, and lets
 * replacements start once their delay is over and what they replace has stopped.
 */
export class RestartSupervisor implements ControlLoop {
  readonly #options: LoopOptions;
  readonly #planner: Planner;
  #unsubscribe = () => {};

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#planner = new Planner({
      ...options,
      name: 'restart',
      decide: (view, keys, nowMs) => {
        const context = { nowMs, random: options.random };
        return merged(keys.map((key) => planSlotRestarts(view, key, context)));
      },
    });
  }

  start(): void {
    const { store } = this.#options;
    this.#unsubscribe = store.subscribe((commit) => this.#onCommit(commit));
    for (const task of store.view.all('task')) this.#markLive(task);
    this.#planner.start();
  }

  async stop(): Promise<void> {
    this.#unsubscribe();
    await this.#planner.stop();
  }

  #onCommit(commit: Commit): void {
    for (const change of commit.changes) {
      if (change.table === 'task') this.#onTask(change);
      else if (change.table === 'node') this.#onNode(change);
    }
  }

  #onTask(change: Extract<Change, { table: 'task' }>): void {
    const { kind, object: task, before } = change;
    const starts = kind === 'create' && task.desiredState < TaskState.RUNNING;
    const moved =
      before?.desiredState !== task.desiredState ||
      before.nodeId !== task.nodeId ||
      hasEnded(before) !== hasEnded(task);
    if (task.serviceId && (starts || kind === 'remove' || (kind === 'update' && moved))) {
      this.#planner.mark(slotKey(task));
    }
  }

  /** A lost node spends its tasks, and ends the wait for those that were to stop there. */
  #onNode(change: Extract<Change, { table: 'node' }>): void {
    const { object: node, before } = change;
    if (change.kind === 'update' && !reachChanged(node, before)) return;
    for (const task of this.#options.store.view.tasksOfNode(node.id)) {
      if (task.serviceId && !hasEnded(task)) this.#planner.mark(slotKey(task));
    }
  }

  #markLive(task: TaskObject): void {
    if (task.serviceId && isLive(task)) this.#planner.mark(slotKey(task));
  }
}

function reachChanged(node: NodeObject, before: NodeObject | undefined): boolean {
  return (
    before?.status.state !== node.status.state ||
    before.spec.availability !== node.spec.availability
  );
}

function merged(decisions: readonly Decision[]): Decision {
  const steps: Step[] = decisions.flatMap((decision) => decision.steps);
  return { steps, wakes: decisions.flatMap((decision) => decision.wakes ?? []) };
}
