import { create } from '@bufbuild/protobuf';
import { settle } from '@skep/platform';
import {
  DriverSchema,
  NodeSpec_Availability,
  NodeStatus_State,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { globalSpec, replicatedSpec } from './specs.sim.js';
import { SimSwarm } from './swarm.sim.js';

async function swarmOf(replicas: number, nodes = ['n1', 'n2', 'n3']) {
  const swarm = new SimSwarm();
  await swarm.addNodes(...nodes);
  swarm.startLoops();
  await swarm.addService('s1', replicatedSpec({ replicas }));
  return swarm;
}

const slots = (swarm: SimSwarm) =>
  swarm
    .running()
    .map(({ slot }) => Number(slot))
    .sort((a, b) => a - b);

describe('a replicated service', () => {
  it('gets its tasks the moment it is committed, NEW and wanted RUNNING', async () => {
    const swarm = await swarmOf(3);
    expect(swarm.clock.monotonic()).toBe(0);
    const [task] = swarm.tasks();
    expect(swarm.tasks()).toHaveLength(3);
    expect(task).toMatchObject({
      serviceId: 's1',
      desiredState: TaskState.RUNNING,
      status: { state: TaskState.NEW, message: 'created' },
      specVersion: swarm.service().specVersion,
      serviceAnnotations: { name: 's1' },
    });
  });

  it('takes the log driver of its spec, else the default of the cluster', async () => {
    const swarm = new SimSwarm();
    await swarm.addCluster(5);
    await swarm.store.update((tx) => {
      const cluster = tx.get('cluster', 'c1')!;
      const taskDefaults = { ...cluster.spec.taskDefaults, logDriver: driver('cluster-wide') };
      tx.update('cluster', { ...cluster, spec: { ...cluster.spec, taskDefaults } });
    });
    swarm.startLoops();
    await swarm.addService('s1', replicatedSpec({ replicas: 1 }));
    const own = replicatedSpec({ replicas: 1, task: { logDriver: driver('own') } });
    await swarm.addService('s2', own);
    expect(swarm.tasks('s1')[0]?.logDriver?.name).toBe('cluster-wide');
    expect(swarm.tasks('s2')[0]?.logDriver?.name).toBe('own');
  });

  it('writes a thousand tasks in entries of at most 200 changes', async () => {
    const swarm = new SimSwarm();
    const sizes: number[] = [];
    swarm.store.subscribe(({ changes }) => void sizes.push(changes.length));
    swarm.startLoops();
    await swarm.addService('s1', replicatedSpec({ replicas: 1_000 }));
    expect(sizes).toEqual([1, 200, 200, 200, 200, 200]);
  });

  it('takes the lowest free slots when scaled up', async () => {
    const swarm = await swarmOf(4);
    await swarm.run(500);
    for (const task of swarm.running().filter(({ slot }) => slot === 2n)) {
      await swarm.store.update((tx) => tx.remove('task', task.id));
    }
    await swarm.run(500);
    expect(slots(swarm)).toEqual([1, 2, 3, 4]);
    await swarm.changeService('s1', replicatedSpec({ replicas: 6 }));
    await swarm.run(500);
    expect(slots(swarm)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('gives up slots when scaled down, and the reaper deletes them once stopped', async () => {
    const swarm = await swarmOf(4);
    await swarm.run(500);
    await swarm.changeService('s1', replicatedSpec({ replicas: 2 }));
    const removed = swarm.tasks().filter((task) => task.desiredState === TaskState.REMOVE);
    expect(removed).toHaveLength(2);
    await swarm.run(300);
    expect(swarm.tasks()).toHaveLength(2);
  });

  it('is not disturbed by a change of scale or labels: running tasks stay', async () => {
    const swarm = await swarmOf(2);
    await swarm.run(500);
    const before = swarm.running().map(({ id }) => id);
    await swarm.changeService('s1', replicatedSpec({ replicas: 3 }));
    await swarm.run(8_000);
    expect(swarm.running().map(({ id }) => id)).toEqual(expect.arrayContaining(before));
    expect(swarm.service().updateStatus).toBeUndefined();
  });

  it('leaves no tasks when it is removed', async () => {
    const swarm = await swarmOf(3);
    await swarm.run(500);
    await swarm.store.update((tx) => tx.remove('service', 's1'));
    await swarm.run(500);
    expect(swarm.tasks()).toEqual([]);
  });

  it('leaves no tasks when it was removed while nobody led', async () => {
    const swarm = await swarmOf(3);
    await swarm.run(500);
    await swarm.stopLoops();
    await swarm.store.update((tx) => tx.remove('service', 's1'));
    swarm.startLoops();
    await swarm.run(500);
    expect(swarm.tasks()).toEqual([]);
  });

  it('proposes nothing once all is as it should be', async () => {
    const swarm = await swarmOf(5);
    await swarm.run(1_000);
    const entries = swarm.proposer.entries.length;
    await swarm.restartLoops();
    await swarm.run(20_000);
    expect(swarm.proposer.entries).toHaveLength(entries);
  });

  it('gets its tasks later when the log refuses them at first', async () => {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1');
    await swarm.addService('s1', replicatedSpec({ replicas: 2 }));
    swarm.proposer.refuse(new Error('no space left on device'));
    swarm.startLoops();
    await settle();
    expect(swarm.tasks()).toEqual([]);
    swarm.proposer.refuse(undefined);
    await swarm.clock.advance(100);
    expect(swarm.tasks()).toHaveLength(2);
  });
});

describe('a global service', () => {
  async function globalSwarm() {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1', 'n2');
    swarm.startLoops();
    await swarm.addService('s1', globalSpec());
    await swarm.run(500);
    return swarm;
  }
  const where = (swarm: SimSwarm) =>
    swarm
      .running()
      .map(({ nodeId }) => nodeId)
      .sort();
  const availability = (value: NodeSpec_Availability) => (node: { spec: object }) =>
    ({ spec: { ...node.spec, availability: value } }) as never;

  it('runs one task on each node, also on one that joins later', async () => {
    const swarm = await globalSwarm();
    await swarm.addNodes('n3');
    await swarm.run(500);
    expect(where(swarm)).toEqual(['n1', 'n2', 'n3']);
  });

  it('shuts its task down on a drained node and comes back with the node', async () => {
    const swarm = await globalSwarm();
    await swarm.changeNode('n1', availability(NodeSpec_Availability.DRAIN));
    await swarm.run(8_000);
    expect(where(swarm)).toEqual(['n2']);
    await swarm.changeNode('n1', availability(NodeSpec_Availability.ACTIVE));
    await swarm.run(500);
    expect(where(swarm)).toEqual(['n1', 'n2']);
  });

  it('keeps its task on a paused node, and puts none on one that joins paused', async () => {
    const swarm = await globalSwarm();
    await swarm.changeNode('n1', availability(NodeSpec_Availability.PAUSE));
    await swarm.run(500);
    expect(where(swarm)).toEqual(['n1', 'n2']);
    const onPaused = swarm.running().find(({ nodeId }) => nodeId === 'n1')!;
    await swarm.report(onPaused, TaskState.FAILED);
    await swarm.run(8_000);
    expect(where(swarm)).toEqual(['n2']);
  });

  it('keeps to the nodes that satisfy its constraints', async () => {
    const swarm = await globalSwarm();
    await swarm.changeService('s1', globalSpec({ constraints: ['node.labels.disk==ssd'] }));
    await swarm.run(500);
    expect(where(swarm)).toEqual([]);
    const labelled = (node: { spec: { annotations: object } }) =>
      ({
        spec: { ...node.spec, annotations: { ...node.spec.annotations, labels: { disk: 'ssd' } } },
      }) as never;
    await swarm.changeNode('n2', labelled);
    await swarm.run(500);
    expect(where(swarm)).toEqual(['n2']);
  });

  it('forgets the tasks of a removed node', async () => {
    const swarm = await globalSwarm();
    await swarm.store.update((tx) => tx.remove('node', 'n1'));
    await swarm.run(500);
    expect(swarm.tasks().map(({ nodeId }) => nodeId)).toEqual(['n2']);
  });

  it('is restarted on its own node', async () => {
    const swarm = await globalSwarm();
    const failing = swarm.running()[0]!;
    await swarm.report(failing, TaskState.FAILED);
    await swarm.run(6_000);
    expect(where(swarm)).toEqual(['n1', 'n2']);
  });

  it('brings a node that returns after an update up to date at once', async () => {
    const swarm = await globalSwarm();
    await swarm.changeNode('n1', availability(NodeSpec_Availability.PAUSE));
    await swarm.changeService('s1', globalSpec({ image: 'web:2' }));
    await swarm.run(8_000);
    const images = () =>
      swarm.running().map(({ spec }) => (spec.runtime.value as { image: string }).image);
    expect(images().sort()).toEqual(['web:1', 'web:2']);
    await swarm.changeNode('n1', availability(NodeSpec_Availability.ACTIVE));
    await swarm.run(1_000);
    expect(images()).toEqual(['web:2', 'web:2']);
  });

  it('is shut down on a node that is down', async () => {
    const swarm = await globalSwarm();
    await swarm.changeNode('n1', (node) => ({
      status: { ...node.status, state: NodeStatus_State.DOWN },
    }));
    expect(swarm.running().map(({ nodeId }) => nodeId)).toEqual(['n2']);
  });
});

function driver(name: string) {
  return create(DriverSchema, { name });
}
