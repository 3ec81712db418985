import { create } from '@bufbuild/protobuf';
import { completeObject, type ServiceObject, type TaskObject } from '@skep/wire';
import {
  EndpointSchema,
  NodeSchema,
  ServiceSchema,
  ServiceSpecSchema,
  TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isTaskDirty } from './dirty.js';
import { SimSwarm } from './swarm.sim.js';

const BASE = {
  task: { runtime: { case: 'container', value: { image: 'web:1' } } },
  endpoint: { ports: [{ targetPort: 80, publishedPort: 8080 }] },
} as const;

function service(spec: object, version: bigint): ServiceObject {
  const whole = create(ServiceSpecSchema, { ...BASE, ...spec } as object);
  const init = { id: 's1', spec: whole, specVersion: { index: version } };
  return completeObject('service', create(ServiceSchema, init));
}

function taskOf({ spec, specVersion }: ServiceObject, state = TaskState.RUNNING): TaskObject {
  const init = { id: 't1', nodeId: 'n1', desiredState: TaskState.RUNNING, status: { state } };
  const task = completeObject('task', create(TaskSchema, init));
  const endpoint = create(EndpointSchema, { spec: spec.endpoint });
  return { ...task, spec: spec.task, specVersion, endpoint };
}

async function view(labels: Record<string, string> = {}) {
  const swarm = new SimSwarm();
  const node = create(NodeSchema, { id: 'n1', spec: { annotations: { labels } } });
  await swarm.store.update((tx) => tx.create('node', completeObject('node', node)));
  return swarm.store.view;
}

const container = (value: object) => ({ runtime: { case: 'container', value } });
const placed = (...constraints: string[]) => ({
  task: { ...BASE.task, placement: { constraints } },
});
const auth = (registryAuth: string, image = 'web:1') => ({
  task: container({ image, pullOptions: { registryAuth } }),
});

describe('a task of an older spec version', () => {
  it.each<[string, object, boolean]>([
    ['nothing of the task changed', {}, false],
    ['only the update configuration changed', { update: { parallelism: 2n } }, false],
    ['the replicas changed', { mode: { case: 'replicated', value: { replicas: 9n } } }, false],
    ['the image changed', { task: container({ image: 'web:2' }) }, true],
    ['an update was forced', { task: { ...BASE.task, forceUpdate: 1n } }, true],
    ['a published port changed', { endpoint: { ports: [{ targetPort: 81 }] } }, true],
    ['all ports went', { endpoint: undefined }, true],
    ['a constraint its node satisfies came', placed('node.labels.disk==ssd'), false],
    ['a constraint its node does not satisfy came', placed('node.labels.disk==hdd'), true],
    ['the registry password changed', auth('new'), false],
    ['password and image changed', auth('new', 'web:2'), true],
  ])('when %s: dirty is', async (_, change, dirty) => {
    const task = taskOf(service({}, 1n));
    const nodes = await view({ disk: 'ssd' });
    expect(isTaskDirty(nodes, service(change, 2n), task)).toBe(dirty);
  });

  it.each([
    [TaskState.PREPARING, true],
    [TaskState.READY, false],
    [TaskState.RUNNING, false],
    [TaskState.FAILED, true],
  ])('in state %s, with only the registry password changed: dirty is %s', async (state, dirty) => {
    const task = taskOf(service(auth('old'), 1n), state);
    expect(isTaskDirty(await view(), service(auth('new'), 2n), task)).toBe(dirty);
  });

  it('is dirty for a new constraint when its node is gone', async () => {
    const task = { ...taskOf(service({}, 1n)), nodeId: 'n9' };
    const changed = service(placed('node.id!=n2'), 2n);
    expect(isTaskDirty(await view(), changed, task)).toBe(true);
  });
});

it('is clean by its spec version alone', async () => {
  const task = taskOf(service({}, 1n));
  const same = service({ task: container({ image: 'web:2' }) }, 1n);
  expect(isTaskDirty(await view(), same, task)).toBe(false);
});
