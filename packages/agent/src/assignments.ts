import { type ConfigObject, completeObject, type SecretObject, type TaskObject } from '@skep/wire';
import {
  type Assignment,
  AssignmentChange_AssignmentAction,
  type AssignmentsMessage,
  AssignmentsMessage_Type,
} from '@skep/wire/swarmkit';

/** Changes to one kind of object. */
export interface Changes<T> {
  put: T[];
  /** Ids. */
  removed: string[];
}

/** An assignment message, sorted by what it is about. */
export interface AssignmentSet {
  /** Everything that is not in it is no longer assigned. */
  complete: boolean;
  secrets: Changes<SecretObject>;
  configs: Changes<ConfigObject>;
  tasks: Changes<TaskObject>;
}

function collect<T extends { id: string }>(changes: Changes<T>, item: T, removes: boolean): void {
  if (removes) changes.removed.push(item.id);
  else changes.put.push(item);
}

function sort(set: AssignmentSet, item: Assignment['item'], removes: boolean): void {
  // Cluster volumes, and what newer managers may send, are left out: nothing here uses them.
  if (item.case === 'secret') collect(set.secrets, completeObject('secret', item.value), removes);
  if (item.case === 'config') collect(set.configs, completeObject('config', item.value), removes);
  if (item.case === 'task') collect(set.tasks, completeObject('task', item.value), removes);
}

export function readAssignments(message: AssignmentsMessage): AssignmentSet {
  const set: AssignmentSet = {
    complete: message.type === AssignmentsMessage_Type.COMPLETE,
    secrets: { put: [], removed: [] },
    configs: { put: [], removed: [] },
    tasks: { put: [], removed: [] },
  };
  for (const { assignment, action } of message.changes) {
    if (assignment) {
      sort(set, assignment.item, action === AssignmentChange_AssignmentAction.REMOVE);
    }
  }
  return set;
}

/**
 * A task as this node takes it over: its own status stays, being newer than the manager's, and the desired
 * state never goes back (wire.md 3.6).
 */
export function mergeTask(known: TaskObject | undefined, received: TaskObject): TaskObject {
  if (!known) return received;
  const desiredState = Math.max(known.desiredState, received.desiredState);
  return { ...received, status: known.status, desiredState };
}
