import { create } from '@bufbuild/protobuf';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { completeObject } from '@skep/wire';
import {
  NodeSchema,
  NodeSpec_Availability,
  NodeStatus_State,
  ServiceSchema,
  TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { notServed } from './served.js';

const { ASSIGNED, COMPLETE, PENDING } = TaskState;
const { ACTIVE, PAUSE } = NodeSpec_Availability;

/** A global job `job` that is done on node `n1`; on `n2` its task came as far as `state`. */
async function globalJob(availability: NodeSpec_Availability, state: TaskState): Promise<Store> {
  const store = new Store({ clock: new SimClock(), random: new SimRandom(1), log: silentLogger });
  store.attach(new SimProposer(store));
  const status = { state: NodeStatus_State.READY };
  const jobIteration = { index: 0n };
  await store.update((tx) => {
    const spec = { annotations: { name: 'job' }, mode: { case: 'globalJob', value: {} } } as const;
    const service = create(ServiceSchema, { id: 's', spec, jobStatus: { jobIteration } });
    tx.create('service', completeObject('service', service));
    for (const [id, is, came] of [
      ['n1', ACTIVE, COMPLETE],
      ['n2', availability, state],
    ] as const) {
      const node = create(NodeSchema, { id, spec: { availability: is }, status });
      tx.create('node', completeObject('node', node));
      const of = { id: `t-${id}`, serviceId: 's', nodeId: id, jobIteration };
      const task = create(TaskSchema, { ...of, desiredState: COMPLETE, status: { state: came } });
      tx.create('task', completeObject('task', task));
    }
  });
  return store;
}

describe('a global job', () => {
  it('is to be done on nodes that take tasks, and to end where it was begun', async () => {
    const judge = async (availability: NodeSpec_Availability, state: TaskState) =>
      notServed((await globalJob(availability, state)).view);
    expect(await judge(ACTIVE, COMPLETE)).toBeUndefined();
    expect(await judge(ACTIVE, PENDING)).toBe('job has a task on its way: t-n2');
    expect(await judge(PAUSE, ASSIGNED)).toBe('job has a task on its way: t-n2');
    expect(await judge(PAUSE, PENDING)).toBeUndefined();
  });
});
