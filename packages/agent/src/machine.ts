import { invariant } from '@skep/platform';
import { TaskState } from '@skep/wire/swarmkit';

/**
 * The life of a task on its node, as a table without side effects (wire.md 3.7). A task only ever moves to
 * a higher state. What is to be done next follows from its state and the desired one alone, so it can be
 * taken up again at any point.
 */

/** What a controller is asked to do. */
export type TaskAction = 'prepare' | 'start' | 'wait' | 'shutdown';

/** A new status of a task. `message` undefined: the one it has is kept. */
export interface Transition {
  state: TaskState;
  message: string | undefined;
  /** What went wrong; empty when nothing did. */
  error: string;
}

export type Step =
  /** Nothing to do before the desired state changes. */
  { kind: 'rest' } | { kind: 'move'; transition: Transition } | { kind: 'act'; action: TaskAction };

export type ActionOutcome =
  | { ok: true }
  | { ok: false; temporary: true }
  | { ok: false; temporary: false; error: string };

const REST: Step = { kind: 'rest' };

function move(state: TaskState, message: string): Step {
  return { kind: 'move', transition: { state, message, error: '' } };
}

/** A state that a task never leaves. */
export function isFinal(state: TaskState): boolean {
  return state >= TaskState.COMPLETE;
}

/** What a task in `state` does next when it is wanted in `desired`. */
export function nextStep(state: TaskState, desired: TaskState): Step {
  if (isFinal(state)) return REST;
  if (desired >= TaskState.SHUTDOWN) return { kind: 'act', action: 'shutdown' };
  if (state > desired) return REST;
  const forward = desired > state;
  if (state < TaskState.ACCEPTED) return forward ? move(TaskState.ACCEPTED, 'accepted') : REST;
  switch (state) {
    case TaskState.ACCEPTED:
      return forward ? move(TaskState.PREPARING, 'preparing') : REST;
    case TaskState.PREPARING:
      return { kind: 'act', action: 'prepare' };
    case TaskState.READY:
      return forward ? move(TaskState.STARTING, 'starting') : REST;
    case TaskState.STARTING:
      return { kind: 'act', action: 'start' };
    case TaskState.RUNNING:
      return { kind: 'act', action: 'wait' };
    default:
      // A state of a newer manager that this node does not know: leave the task alone.
      return REST;
  }
}

const AFTER: Record<TaskAction, Transition> = {
  prepare: { state: TaskState.READY, message: 'prepared', error: '' },
  start: { state: TaskState.RUNNING, message: 'started', error: '' },
  wait: { state: TaskState.COMPLETE, message: 'finished', error: '' },
  shutdown: { state: TaskState.SHUTDOWN, message: 'shutdown', error: '' },
};

/** Where an action's outcome takes a task in `state`; undefined: the action is to be repeated later. */
export function afterAction(
  state: TaskState,
  action: TaskAction,
  outcome: ActionOutcome,
): Transition | undefined {
  invariant(!isFinal(state), 'a finished task does nothing', { state, action });
  if (outcome.ok) return AFTER[action];
  if (outcome.temporary) return undefined;
  const failed = state < TaskState.STARTING ? TaskState.REJECTED : TaskState.FAILED;
  return { state: failed, message: undefined, error: outcome.error };
}
