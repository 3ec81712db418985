import { equals } from '@bufbuild/protobuf';
import type { Commit, ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import {
  UpdateConfig_FailureAction as FailureAction,
  NodeSpec_Availability,
  NodeStatus_State,
  TaskSpecSchema,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';
import { must } from '../engine/index.js';

const { COMPLETED, PAUSED, ROLLBACK_COMPLETED, ROLLBACK_PAUSED, ROLLBACK_STARTED, UPDATING } =
  UpdateState;

/**
 * Updates, as one manager's store tells of them: each goes from state to state as its configuration has it,
 * and one that is told to be completed has left no task of another spec.
 */
export class UpdateChecker {
  readonly #machine: string;

  constructor(machine: string) {
    this.#machine = machine;
  }

  /** `view` is the state that the commit led to. */
  commit({ changes, index }: Commit, view: ReadView): void {
    // A snapshot leaves out what happened in between.
    if (index === 0n) return;
    for (const change of changes) {
      if (change.table !== 'service' || change.kind !== 'update') continue;
      this.#compare(change.before, change.object);
      const state = change.object.updateStatus?.state;
      if (change.before.updateStatus?.state === state) continue;
      if (state === COMPLETED || state === ROLLBACK_COMPLETED) {
        this.#checkComplete(change.object, view);
      }
    }
  }

  #compare(before: ServiceObject, after: ServiceObject): void {
    const [was, is] = [before.updateStatus?.state, after.updateStatus?.state];
    if (was === is || is === undefined) return;
    must(
      mayFollow(before, after),
      'update-state',
      () => `${this.#machine}: ${after.id} goes from ${nameOf(was)} to ${nameOf(is)}`,
    );
  }

  #checkComplete(service: ServiceObject, view: ReadView): void {
    for (const task of view.tasksOfService(service.id)) {
      if (task.desiredState !== TaskState.RUNNING || !takesTasks(view, task.nodeId)) continue;
      must(
        equals(TaskSpecSchema, task.spec, service.spec.task) || servesOn(view, service, task),
        'update-complete',
        () => `${this.#machine}: ${service.id} is updated, and ${task.id} has another spec`,
      );
    }
  }
}

/** Whether an update that stood so may stand so now. */
function mayFollow(before: ServiceObject, after: ServiceObject): boolean {
  const was = before.updateStatus?.state;
  const { message = '', state } = after.updateStatus ?? {};
  // A user may have it taken back at any time.
  if (message === 'manually requested rollback') return state === ROLLBACK_STARTED;
  const { rollback, update } = before.spec;
  const onFailure = update?.failureAction ?? FailureAction.PAUSE;
  switch (state) {
    case UPDATING:
      return was === undefined;
    case COMPLETED:
      return was === UPDATING;
    case PAUSED: {
      const hasNoWayBack = onFailure === FailureAction.ROLLBACK && !before.previousSpec;
      return was === UPDATING && (onFailure === FailureAction.PAUSE || hasNoWayBack);
    }
    case ROLLBACK_STARTED:
      return was === UPDATING && onFailure === FailureAction.ROLLBACK;
    case ROLLBACK_COMPLETED:
      return was === ROLLBACK_STARTED;
    case ROLLBACK_PAUSED:
      return was === ROLLBACK_STARTED && rollback?.failureAction === FailureAction.PAUSE;
    default:
      return false;
  }
}

/**
 * Whether an old task goes on because its successor fails: an update that starts first and bears failures is
 * completed all the same, and the old one goes when another comes to serve.
 */
function servesOn(view: ReadView, { spec }: ServiceObject, task: TaskObject): boolean {
  const startsFirst = [spec.update, spec.rollback].some(
    (config) => config?.order === UpdateOrder.START_FIRST,
  );
  if (!startsFirst || task.status.state !== TaskState.RUNNING) return false;
  for (const other of view.tasksOfService(task.serviceId)) {
    if (other.slot !== task.slot || (task.slot === 0n && other.nodeId !== task.nodeId)) continue;
    const isNew = equals(TaskSpecSchema, other.spec, spec.task);
    if (isNew && other.desiredState <= TaskState.RUNNING) {
      return other.status.state !== TaskState.RUNNING;
    }
  }
  return false;
}

/** Tasks stay as they are on nodes that take none, and are lost on those that are down. */
function takesTasks(view: ReadView, nodeId: string): boolean {
  const node = view.get('node', nodeId);
  return (
    node?.spec.availability === NodeSpec_Availability.ACTIVE &&
    node.status.state === NodeStatus_State.READY
  );
}

function nameOf(state: UpdateState | undefined): string {
  return state === undefined ? 'none' : UpdateState[state];
}
