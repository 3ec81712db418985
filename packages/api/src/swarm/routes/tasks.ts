import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import { ListTasksRequestSchema, type Task, TaskState } from '@skep/wire/swarmkit';
import type { FastifyRequest } from 'fastify';
import { HttpError } from '../../server/errors.js';
import { filters, type Query } from '../../server/query.js';
import type { Routes } from '../../server/server.js';
import { enumValue, remembered } from '../convert/json.js';
import { taskToJson } from '../convert/task.js';
import { findNode, findService, findTask } from '../lookup.js';
import { type ById, manager, type SwarmDependencies } from './dependencies.js';
import { labelsOf, translate } from './query.js';

const FILTERS = [
  'name',
  'id',
  'label',
  'service',
  'node',
  'desired-state',
  '_up-to-date',
  'runtime',
];

/** Attachments and plugins are shown only to who asks for them. */
const DEFAULT_RUNTIMES = ['container', ''];

/**
 * A task's JSON, made once: clients poll this list every 200 ms while they wait for a service, and between two
 * polls few of its objects, which are never changed in place, are other ones.
 */
const taskToText = remembered((task: Task) => JSON.stringify(taskToJson(task)));

/** /tasks. */
export function taskRoutes(deps: SwarmDependencies): Routes {
  return (app) => {
    app.get('/tasks', async (request, reply) => {
      const tasks = await list(deps, request);
      return reply.type('application/json').send(`[${tasks.map(taskToText).join(',')}]`);
    });
    app.get('/tasks/:id', async (request: ById) =>
      taskToJson(await findTask(manager(deps), request.params.id)),
    );
  };
}

async function list(deps: SwarmDependencies, request: FastifyRequest): Promise<Task[]> {
  const control = manager(deps);
  const wanted = filters(request.query as Query, FILTERS);
  const listRequest = create(ListTasksRequestSchema, {
    filters: {
      namePrefixes: wanted.name ?? [],
      idPrefixes: wanted.id ?? [],
      labels: labelsOf(wanted.label),
      serviceIds: await serviceIds(control, wanted.service),
      nodeIds: await nodeIds(control, wanted.node),
      desiredStates: translate(
        wanted['desired-state']?.filter(Boolean),
        (text) => enumValue(TaskState, text),
        'desired-state',
      ),
      upToDate: upToDate(wanted['_up-to-date']),
      runtimes: wanted.runtime ?? DEFAULT_RUNTIMES,
    },
  });
  const { tasks } = await control.listTasks(listRequest);
  return tasks;
}

/** Names and ids of services as ids; one that is not there fails the whole list. */
function serviceIds(control: Control, inputs: readonly string[] = []): Promise<string[]> {
  return Promise.all(inputs.map(async (input) => (await findService(control, input)).id));
}

function nodeIds(control: Control, inputs: readonly string[] = []): Promise<string[]> {
  return Promise.all(inputs.map(async (input) => (await findNode(control, input)).id));
}

function upToDate(values: readonly string[] | undefined): boolean {
  if (!values || values.length === 0) return false;
  const [value = ''] = values;
  const isTrue = value === '1' || value === 'true';
  if (values.length > 1 || (!isTrue && value !== '0' && value !== 'false')) {
    throw new HttpError(400, `invalid filter '_up-to-date=${JSON.stringify(values)}'`);
  }
  return isTrue;
}
