import { create, equals } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import {
  type AssignmentChange,
  AssignmentChange_AssignmentAction,
  AssignmentChangeSchema,
  type AssignmentsMessage,
  AssignmentsMessage_Type,
  AssignmentsMessageSchema,
  ConfigSchema,
  SecretSchema,
  TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { type DependencyKey, dependenciesOf, splitKey } from '../versions/references.js';

const { UPDATE, REMOVE } = AssignmentChange_AssignmentAction;

/**
 * What one node has been told: its tasks, and the secrets and configs those need. Compares it with the store
 * and says what to tell next (wire.md 3.6). Knows no clock and no stream.
 */
export class AssignmentSet {
  readonly #nodeId: string;
  /** Tasks as the node has them, but for statuses, which it knows better. */
  readonly #tasks = new Map<string, TaskObject>();
  /** Which tasks need a secret or config that the node has. */
  readonly #users = new Map<DependencyKey, Set<string>>();
  readonly #dirty = new Set<string>();
  #sequence = 0;

  constructor(nodeId: string) {
    this.#nodeId = nodeId;
  }

  /** Notes that a task may have changed. */
  mark(taskId: string): void {
    this.#dirty.add(taskId);
  }

  /** The first message: all of it. */
  complete(view: ReadView): AssignmentsMessage {
    this.#dirty.clear();
    const ids = [...view.tasksOfNode(this.#nodeId)].map(({ id }) => id);
    return this.#message(AssignmentsMessage_Type.COMPLETE, this.#changes(view, ids));
  }

  /** The next message, on up to `tasksMax` tasks; undefined when the node knows all it should. */
  next(view: ReadView, tasksMax: number): AssignmentsMessage | undefined {
    while (this.#dirty.size > 0) {
      const ids = [...this.#dirty].slice(0, tasksMax);
      for (const id of ids) this.#dirty.delete(id);
      const changes = this.#changes(view, ids);
      if (changes.length > 0) return this.#message(AssignmentsMessage_Type.INCREMENTAL, changes);
    }
    return undefined;
  }

  #message(type: AssignmentsMessage_Type, changes: AssignmentChange[]): AssignmentsMessage {
    const appliesTo = this.#sequence === 0 ? '' : String(this.#sequence);
    const resultsIn = String(++this.#sequence);
    return create(AssignmentsMessageSchema, { type, appliesTo, resultsIn, changes });
  }

  /** Brings the record up to date for some tasks; returns what the node must be told. */
  #changes(view: ReadView, taskIds: readonly string[]): AssignmentChange[] {
    const before = new Map<DependencyKey, boolean>();
    const touch = (key: DependencyKey) => {
      if (!before.has(key)) before.set(key, this.#users.has(key));
    };
    const ofTasks = taskIds.flatMap((id) => this.#taskChange(view, id, touch));
    const ofDependencies = [...before].flatMap(([key, had]) => {
      const needed = this.#users.has(key);
      return needed === had ? [] : dependencyChange(view, key, needed);
    });
    return [...ofDependencies, ...ofTasks];
  }

  #taskChange(view: ReadView, id: string, touch: (key: DependencyKey) => void): AssignmentChange[] {
    const known = this.#tasks.get(id);
    const task = view.get('task', id);
    if (!task || task.nodeId !== this.#nodeId || task.status.state < TaskState.ASSIGNED) {
      if (!known) return [];
      this.#tasks.delete(id);
      this.#release(known, touch);
      return [taskChange(REMOVE, create(TaskSchema, { id }))];
    }
    this.#tasks.set(id, task);
    if (task.status.state > TaskState.RUNNING) this.#release(task, touch);
    else if (!known) this.#require(task, touch);
    const news = !known || task.status.state <= TaskState.ASSIGNED || !sameButStatus(known, task);
    return news ? [taskChange(UPDATE, task)] : [];
  }

  #require(task: TaskObject, touch: (key: DependencyKey) => void): void {
    for (const key of dependenciesOf(task.spec)) {
      touch(key);
      const users = this.#users.get(key) ?? new Set();
      this.#users.set(key, users.add(task.id));
    }
  }

  #release(task: TaskObject, touch: (key: DependencyKey) => void): void {
    for (const key of dependenciesOf(task.spec)) {
      const users = this.#users.get(key);
      if (!users?.has(task.id)) continue;
      touch(key);
      users.delete(task.id);
      if (users.size === 0) this.#users.delete(key);
    }
  }
}

function taskChange(
  action: AssignmentChange_AssignmentAction,
  task: AssignmentTask,
): AssignmentChange {
  const item = { case: 'task', value: task } as const;
  return create(AssignmentChangeSchema, { action, assignment: { item } });
}

type AssignmentTask = TaskObject | ReturnType<typeof create<typeof TaskSchema>>;

/** A secret or config to keep, in full, or to forget, by its id. One that is gone cannot be told. */
function dependencyChange(view: ReadView, key: DependencyKey, needed: boolean): AssignmentChange[] {
  const [kind, id] = splitKey(key);
  const action = needed ? UPDATE : REMOVE;
  if (kind === 'secret') {
    const value = needed ? view.get('secret', id) : create(SecretSchema, { id });
    if (!value) return [];
    const assignment = { item: { case: 'secret', value } as const };
    return [create(AssignmentChangeSchema, { action, assignment })];
  }
  const value = needed ? view.get('config', id) : create(ConfigSchema, { id });
  if (!value) return [];
  const assignment = { item: { case: 'config', value } as const };
  return [create(AssignmentChangeSchema, { action, assignment })];
}

/** Whether nothing changed that the node would not have told us itself. */
function sameButStatus(a: TaskObject, b: TaskObject): boolean {
  const { status, meta } = a;
  const likeA: TaskObject = { ...b, status, meta };
  const fields = Object.keys(likeA) as (keyof TaskObject)[];
  // Most changes copy the task with a new status; only others are worth comparing in depth.
  return fields.every((field) => a[field] === likeA[field]) || equals(TaskSchema, a, likeA);
}
