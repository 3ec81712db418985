import type { ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import { NodeSpec_Availability, NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { constraintsOf, nodeMatches } from '../constraint/index.js';
import { createTask, desire, type Step } from '../loop/plan.js';
import type { Decision } from '../loop/planner.js';
import { doSame, isTaskDirty } from '../orchestrator/dirty.js';
import { isLeaving } from '../orchestrator/leaving.js';
import { goalOf, isPerNode } from '../orchestrator/mode.js';
import { newTask, type PlanContext } from '../orchestrator/new-task.js';
import {
  hasEnded,
  isDone,
  isLive,
  isLost,
  madeMs,
  ofPresentRun,
  remainingMs,
  type Slot,
  seatOf,
  serviceOfSlotKey,
  slotOfKey,
} from '../orchestrator/slot.js';
import { handOver } from './hand-over.js';
import { OLD_TASK_TIMEOUT_MS } from './limits.js';
import { mayRestart, restartDelayMs } from './policy.js';

/** What the restart supervisor does about a slot now, and when it has to look again. */
export function planSlotRestarts(view: ReadView, key: string, context: PlanContext): Decision {
  const service = view.get('service', serviceOfSlotKey(key));
  if (!service) return { steps: [] };
  const plan = new SlotPlan(view, service, slotOfKey(view, key), context);
  const steps: Step[] = [];
  let wakeMs: number | undefined;
  for (const task of plan.slot) {
    const { step, waitMs } = plan.decide(task);
    if (step) steps.push(step);
    if (waitMs !== undefined) wakeMs = Math.min(wakeMs ?? waitMs, waitMs);
  }
  return wakeMs === undefined ? { steps } : { steps, wakes: [[key, wakeMs]] };
}

interface TaskDecision {
  step?: Step;
  /** Ms until the task can go on, when nothing else happens. */
  waitMs?: number;
}

/** The rules for one slot, all read from the store: nothing is remembered between two looks. */
class SlotPlan {
  readonly #view: ReadView;
  readonly #service: ServiceObject;
  /** What is decided on: of a job, the tasks of its present run. */
  readonly slot: Slot;
  readonly #all: Slot;
  readonly #context: PlanContext;

  constructor(view: ReadView, service: ServiceObject, slot: Slot, context: PlanContext) {
    this.#view = view;
    this.#service = service;
    this.slot = ofPresentRun(service, slot);
    this.#all = slot;
    this.#context = context;
  }

  decide(task: TaskObject): TaskDecision {
    if (!isLive(task) || isDone(task)) return {};
    if (isLeaving(this.#view, this.#service, task)) return this.#handOver(task);
    if (this.#isLate(task) || this.#isSuperfluous(task))
      return { step: [desire(task, TaskState.SHUTDOWN)] };
    const held = task.desiredState < TaskState.RUNNING;
    if (this.#isSpent(task)) {
      // One that dies while held back serves out its delay: no tight loop around a missing image.
      const waitMs = held ? this.#delayLeftMs(task) : 0;
      return waitMs > 0 ? { waitMs } : { step: this.#replace(task) };
    }
    if (!held) return {};
    const waitMs = this.#holdLeftMs(task);
    return waitMs > 0 ? { waitMs } : { step: [desire(task, goalOf(this.#service))] };
  }

  /** A task on a node that is being drained serves until another does, within bounds. */
  #handOver(task: TaskObject): TaskDecision {
    const next = handOver(this.#view, this.#service, this.slot, task, this.#context.nowMs);
    switch (next.kind) {
      case 'ask':
        return { step: [createTask(this.#successor(task, TaskState.RUNNING))] };
      case 'wait':
        return { waitMs: next.waitMs };
      case 'over':
        return { step: [desire(task, TaskState.SHUTDOWN)] };
      case 'vain':
        return { step: this.#replace(task) };
    }
  }

  /**
   * Whether a job's task has not begun yet what another has done: one that was taken for lost with its
   * node, and was heard of again.
   */
  #isLate(task: TaskObject): boolean {
    return task.status.state < TaskState.STARTING && this.slot.some(isDone);
  }

  /**
   * Whether the slot has another that does the same and is to stay: a node that was drained opened
   * again before all of its tasks had been handed over.
   */
  #isSuperfluous(task: TaskObject): boolean {
    if (isPerNode(this.#service) || this.#isSpent(task)) return false;
    const serves = ({ status }: TaskObject) => status.state === TaskState.RUNNING;
    const at = this.slot.indexOf(task);
    return this.slot.some((other, otherAt) => {
      if (other === task || !isLive(other) || this.#isSpent(other)) return false;
      const comesFirst = serves(other) === serves(task) ? otherAt < at : serves(other);
      return comesFirst && doSame(other, task);
    });
  }

  #successor(task: TaskObject, desiredState: TaskState): TaskObject {
    const seat = seatOf(this.#service, task);
    return newTask(this.#view, this.#service, seat, desiredState, this.#context);
  }

  /** Whether a task that is wanted has ended or can no longer be reached. */
  #isSpent(task: TaskObject): boolean {
    if (hasEnded(task)) return true;
    // A global task has nowhere else to go: the orchestrator shuts it down with its node.
    if (isPerNode(this.#service) || task.nodeId === '') return false;
    return isLost(this.#view.get('node', task.nodeId));
  }

  /** Shuts the task down and, if policy and slot ask for it, puts a new one behind it. */
  #replace(task: TaskObject): Step {
    const stop = desire(task, TaskState.SHUTDOWN);
    if (this.#isCovered(task) || !this.#nodeTakesNew(task) || !mayRestart(task, this.slot)) {
      return [stop];
    }
    return [stop, createTask(this.#successor(task, TaskState.READY))];
  }

  /** Whether another task of the slot does its work already (an update that starts first, say). */
  #isCovered(task: TaskObject): boolean {
    if (this.slot.some(isDone)) return true;
    const others = this.slot.filter(
      (other) => other !== task && isLive(other) && !this.#isSpent(other),
    );
    if (isTaskDirty(this.#view, this.#service, task)) return others.length > 0;
    return others.some((other) => !isTaskDirty(this.#view, this.#service, other));
  }

  /** A global task is replaced on its own node or not at all. */
  #nodeTakesNew(task: TaskObject): boolean {
    if (!isPerNode(this.#service)) return true;
    const node = this.#view.get('node', task.nodeId);
    if (!node || isLost(node) || node.spec.availability === NodeSpec_Availability.PAUSE) {
      return false;
    }
    return nodeMatches(constraintsOf(this.#service.spec.task.placement), node);
  }

  /** Ms until a task held back may start: its delay is over and the ones before it have stopped. */
  #holdLeftMs(task: TaskObject): number {
    const sinceMs = madeMs(task);
    const stopping = this.#all.some((other) => other !== task && this.#isStopping(other));
    const stopLeftMs = stopping
      ? remainingMs(sinceMs, OLD_TASK_TIMEOUT_MS, this.#context.nowMs)
      : 0;
    return Math.max(this.#delayLeftMs(task), stopLeftMs);
  }

  /**
   * Only a restart is delayed; a task that does something else than the one before it is an update.
   * The delay keeps a task that fails from failing in a tight loop, so one that was merely lost with
   * its node is not made to wait.
   */
  #delayLeftMs(task: TaskObject): number {
    const before = this.slot[this.slot.indexOf(task) - 1];
    if (!before || !doSame(before, task)) return 0;
    if (before.nodeId !== '' && isLost(this.#view.get('node', before.nodeId))) return 0;
    const sinceMs = madeMs(task);
    return remainingMs(sinceMs, restartDelayMs(before), this.#context.nowMs);
  }

  /** Whether a task was told to stop and its node can still be expected to say that it did. */
  #isStopping(task: TaskObject): boolean {
    if (isLive(task) || hasEnded(task) || task.status.state < TaskState.ASSIGNED) return false;
    const node = this.#view.get('node', task.nodeId);
    return node !== undefined && node.status.state !== NodeStatus_State.DOWN;
  }
}
