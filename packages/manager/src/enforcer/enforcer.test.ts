import { create } from '@bufbuild/protobuf';
import { settle } from '@skep/platform';
import { completeObject, type NodeObject } from '@skep/wire';
import {
  GenericResourceSchema,
  NodeDescriptionSchema,
  NodeSpec_Availability,
  ResourceRequirementsSchema,
  TaskSchema,
  TaskState,
  TaskStatusSchema,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';
import { planEnforcement } from './plan.js';

const labels = (values: Record<string, string>) => (node: NodeObject) => ({
  spec: { ...node.spec, annotations: { ...node.spec.annotations, labels: values } },
});

const describeNode =
  (memoryBytes: bigint, generic: object[] = []) =>
  () => ({
    description: create(NodeDescriptionSchema, {
      resources: { memoryBytes, generic: generic as never },
    }),
  });

describe('a node that changes', () => {
  async function swarmOnSsd() {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1', 'n2');
    await swarm.changeNode('n1', labels({ disk: 'ssd' }));
    swarm.startLoops();
    const constraints = ['node.labels.disk==ssd'];
    await swarm.addService('s1', replicatedSpec({ replicas: 1, constraints }));
    await swarm.run(500);
    return swarm;
  }

  it('has the tasks rejected whose constraints it no longer satisfies; they move', async () => {
    const swarm = await swarmOnSsd();
    const [task] = swarm.running();
    await swarm.changeNode('n1', labels({ disk: 'hdd' }));
    expect(swarm.store.view.get('task', task!.id)?.status).toMatchObject({
      state: TaskState.REJECTED,
      message: 'task rejected by constraint enforcer',
      err: 'assigned node no longer meets constraints',
    });
    await swarm.changeNode('n2', labels({ disk: 'ssd' }));
    await swarm.run(6_000);
    expect(swarm.running().map(({ nodeId }) => nodeId)).toEqual(['n2']);
  });

  it('keeps its tasks while it is paused', async () => {
    const swarm = await swarmOnSsd();
    await swarm.changeNode('n1', (node) => ({
      spec: { ...labels({})(node).spec, availability: NodeSpec_Availability.PAUSE },
    }));
    await swarm.run(500);
    expect(swarm.running()).toHaveLength(1);
  });

  it('is held to the constraints of the service now, not to those the task began with', async () => {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1');
    await swarm.changeNode('n1', labels({ disk: 'ssd' }));
    swarm.startLoops();
    await swarm.addService('s1', replicatedSpec({ replicas: 1 }));
    await swarm.run(500);
    const constraints = ['node.labels.disk==ssd'];
    await swarm.changeService('s1', replicatedSpec({ replicas: 1, constraints }));
    await swarm.run(500);
    const [task] = swarm.tasks();
    expect(swarm.tasks()).toHaveLength(1);
    await swarm.changeNode('n1', labels({}));
    expect(swarm.store.view.get('task', task!.id)?.status.state).toBe(TaskState.REJECTED);
    expect(swarm.service().updateStatus).toBeUndefined();
  });

  it('has to be looked at by a new leader too', async () => {
    const swarm = await swarmOnSsd();
    await swarm.stopLoops();
    await swarm.changeNode('n1', labels({}));
    swarm.startLoops();
    await settle();
    expect(swarm.running()).toEqual([]);
  });
});

describe('a node with less room than its tasks reserve', () => {
  const reserving = (id: string, memoryBytes: bigint, extra: object = {}) =>
    completeObject('task', {
      ...create(TaskSchema, {
        id,
        nodeId: 'n1',
        desiredState: TaskState.RUNNING,
        status: { state: TaskState.RUNNING },
        spec: { resources: create(ResourceRequirementsSchema, { reservations: { memoryBytes } }) },
      }),
      ...extra,
    });

  async function rejectedOf(change: () => Partial<NodeObject>, tasks: object[]) {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1');
    await swarm.changeNode('n1', change);
    for (const task of tasks) {
      await swarm.store.update((tx) => tx.create('task', completeObject('task', task)));
      await swarm.clock.advance(1);
    }
    const writes = planEnforcement(swarm.store.view, 'n1', swarm.clock.now()).flat();
    return writes.map((write) => (write.kind === 'remove' ? write.id : write.object.id));
  }

  it('keeps the older ones', async () => {
    const tasks = [reserving('t1', 60n), reserving('t2', 60n), reserving('t3', 40n)];
    expect(await rejectedOf(describeNode(100n), tasks)).toEqual(['t2']);
  });

  it('does not count ended tasks, nor those that are to stop', async () => {
    const tasks = [
      reserving('t1', 60n, { desiredState: TaskState.SHUTDOWN }),
      reserving('t2', 60n, { status: create(TaskStatusSchema, { state: TaskState.COMPLETE }) }),
      reserving('t3', 60n),
    ];
    expect(await rejectedOf(describeNode(100n), tasks)).toEqual([]);
  });

  it('counts generic resources by kind and by name', async () => {
    const discrete = (value: bigint) => ({
      resource: { case: 'discreteResourceSpec', value: { kind: 'ssd', value } },
    });
    const named = (value: string) => ({
      resource: { case: 'namedResourceSpec', value: { kind: 'gpu', value } },
    });
    const given = (resource: object) => ({
      assignedGenericResources: [create(GenericResourceSchema, resource)],
    });
    const node = describeNode(0n, [discrete(3n), named('a')]);
    const tasks = [
      reserving('t1', 0n, given(discrete(2n))),
      reserving('t2', 0n, given(discrete(2n))),
      reserving('t3', 0n, given(named('a'))),
      reserving('t4', 0n, given(named('b'))),
    ];
    expect(await rejectedOf(node, tasks)).toEqual(['t2', 't4']);
  });

  it('is not judged before it has described itself', async () => {
    expect(await rejectedOf(() => ({}), [reserving('t1', 60n)])).toEqual([]);
  });
});
