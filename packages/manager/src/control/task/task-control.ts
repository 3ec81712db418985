import { create } from '@bufbuild/protobuf';
import { MissingError, type ReadView } from '@skep/store';
import { type TaskObject, taskName } from '@skep/wire';
import {
  GetTaskResponseSchema,
  type ListTasksRequest_Filters,
  ListTasksResponseSchema,
  RemoveTaskResponseSchema,
} from '@skep/wire/swarmkit';
import type { Control } from '../../contract.js';
import { isTaskDirty } from '../../orchestrator/dirty.js';
import type { ControlContext } from '../context.js';
import { invalidArgument, notFound } from '../errors.js';
import { hasLabels, isOneOf, startsWithOneOf } from '../filter.js';
import { runtimeName } from './naming.js';

type TaskControl = Pick<Control, 'getTask' | 'listTasks' | 'removeTask'>;

/** Tasks. Nobody makes them here: the orchestrators do. */
export function taskControl({ store }: ControlContext): TaskControl {
  return {
    async getTask({ taskId }) {
      if (!taskId) throw invalidArgument();
      const task = store.view.get('task', taskId);
      if (!task) throw notFound('task', taskId);
      return create(GetTaskResponseSchema, { task });
    },

    async listTasks({ filters }) {
      const tasks: TaskObject[] = [];
      for (const task of candidates(store.view, filters)) {
        if (!filters || matches(store.view, task, filters)) tasks.push(task);
      }
      return create(ListTasksResponseSchema, { tasks });
    },

    async removeTask({ taskId }) {
      if (!taskId) throw invalidArgument();
      await store.update((tx) => {
        try {
          tx.remove('task', taskId);
        } catch (error) {
          throw error instanceof MissingError ? notFound('task', taskId) : error;
        }
      });
      return create(RemoveTaskResponseSchema);
    },
  };
}

/** All tasks that can match, by the narrowest index the filters allow. */
function* candidates(
  view: ReadView,
  filters: ListTasksRequest_Filters | undefined,
): Iterable<TaskObject> {
  if (filters && filters.serviceIds.length > 0) {
    for (const id of new Set(filters.serviceIds)) yield* view.tasksOfService(id);
  } else if (filters && filters.nodeIds.length > 0) {
    for (const id of new Set(filters.nodeIds)) yield* view.tasksOfNode(id);
  } else {
    yield* view.all('task');
  }
}

/** `labels` are those of the service, as copied into the task when it was made. */
function matches(view: ReadView, task: TaskObject, filters: ListTasksRequest_Filters): boolean {
  return (
    isOneOf(task.serviceId, filters.serviceIds) &&
    isOneOf(task.nodeId, filters.nodeIds) &&
    isOneOf(task.desiredState, filters.desiredStates) &&
    isOneOf(runtimeName(task.spec) ?? '', filters.runtimes) &&
    startsWithOneOf(task.id, filters.idPrefixes) &&
    hasLabels(task.serviceAnnotations.labels, filters.labels) &&
    matchesName(task, filters) &&
    (!filters.upToDate || isUpToDate(view, task))
  );
}

function matchesName(task: TaskObject, { names, namePrefixes }: ListTasksRequest_Filters): boolean {
  if (names.length + namePrefixes.length === 0) return true;
  const name = taskName(task);
  return isOneOf(name, names) && startsWithOneOf(name, namePrefixes);
}

function isUpToDate(view: ReadView, task: TaskObject): boolean {
  const service = view.get('service', task.serviceId);
  return service !== undefined && !isTaskDirty(view, service, task);
}
