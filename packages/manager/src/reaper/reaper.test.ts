import { create } from '@bufbuild/protobuf';
import { settle } from '@skep/platform';
import { completeObject, durationFromMs } from '@skep/wire';
import {
  RestartPolicy_RestartCondition as Condition,
  NodeStatus_State,
  TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { globalSpec, replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';
import { UNHEARD_TASKS_MAX } from './limits.js';

async function crashing(limit: number, spec = quick()) {
  const swarm = new SimSwarm();
  await swarm.addCluster(limit);
  await swarm.addNodes('n1');
  swarm.fate = () => TaskState.FAILED;
  swarm.startLoops();
  await swarm.addService('s1', spec);
  return swarm;
}

const restart = { condition: Condition.ANY, delay: durationFromMs(200) };
const quick = () => replicatedSpec({ replicas: 1, restart });

describe('the task history', () => {
  it.each([
    [5, 5],
    [2, 2],
    [1, 1],
  ])('of limit %i keeps %i tasks of a slot, the live one included', async (limit, kept) => {
    const swarm = await crashing(limit);
    await swarm.run(20_000);
    await swarm.stopLoops();
    expect(swarm.tasks()).toHaveLength(kept);
  });

  it('of limit 0 keeps only live tasks', async () => {
    const swarm = await crashing(0);
    await swarm.run(5_000);
    swarm.fate = () => TaskState.RUNNING;
    await swarm.run(1_000);
    expect(swarm.tasks().map(({ status }) => status.state)).toEqual([TaskState.RUNNING]);
  });

  it('is endless with a negative limit', async () => {
    const swarm = await crashing(-1);
    await swarm.run(20_000);
    expect(swarm.tasks().length).toBeGreaterThan(20);
  });

  it('is kept for each node of a global service', async () => {
    const swarm = await crashing(3, globalSpec({ restart }));
    await swarm.addNodes('n2');
    await swarm.run(20_000);
    expect(swarm.tasks()).toHaveLength(6);
  });

  it('is as long as counting restart attempts needs', async () => {
    const spec = replicatedSpec({ replicas: 1, restart: { ...restart, maxAttempts: 8n } });
    const swarm = await crashing(2, spec);
    await swarm.run(30_000);
    expect(swarm.tasks()).toHaveLength(9);
  });

  it('loses its oldest first', async () => {
    const swarm = await crashing(-1);
    await swarm.run(5_000);
    const newest = swarm.tasks().slice(-3);
    await swarm.stopLoops();
    await swarm.store.update((tx) => {
      const cluster = tx.get('cluster', 'c1')!;
      const orchestration = { ...cluster.spec.orchestration, taskHistoryRetentionLimit: 3n };
      tx.update('cluster', { ...cluster, spec: { ...cluster.spec, orchestration } });
    });
    swarm.startLoops();
    await settle();
    const ids = swarm.tasks().map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(newest.slice(-2).map(({ id }) => id)));
    expect(ids.length).toBeLessThanOrEqual(4);
  });

  it('is trimmed when the limit is lowered', async () => {
    const swarm = await crashing(10);
    await swarm.run(10_000);
    swarm.fate = () => TaskState.RUNNING;
    await swarm.run(1_000);
    await swarm.store.update((tx) => {
      const cluster = tx.get('cluster', 'c1')!;
      const orchestration = { ...cluster.spec.orchestration, taskHistoryRetentionLimit: 2n };
      tx.update('cluster', { ...cluster, spec: { ...cluster.spec, orchestration } });
    });
    await settle();
    expect(swarm.tasks()).toHaveLength(2);
  });

  it('of limit 0 still knows that a slot must not be filled again', async () => {
    const none = { condition: Condition.NONE };
    const swarm = await crashing(0, replicatedSpec({ replicas: 1, restart: none }));
    await swarm.run(10_000);
    expect(swarm.tasks()).toHaveLength(1);
    expect(swarm.running()).toEqual([]);
  });
});

describe('the tasks of a node that goes down again and again, and never says what stopped', () => {
  /** Tasks of service s1 after each time a node went down. */
  async function flapping(spec: ReturnType<typeof quick>, historyLimit: number) {
    const swarm = new SimSwarm();
    await swarm.addCluster(historyLimit);
    await swarm.addNodes('n1');
    swarm.frozen.add('n1');
    swarm.startLoops();
    await swarm.addService('s1', spec);
    const inState = (state: NodeStatus_State) =>
      swarm.changeNode('n1', (node) => ({ status: { ...node.status, state } }));
    const counts: number[] = [];
    for (let time = 0; time < 40; time++) {
      await swarm.run(1_000);
      for (const task of swarm.tasks()) await swarm.report(task, TaskState.RUNNING);
      await inState(NodeStatus_State.DOWN);
      await swarm.run(500);
      counts.push(swarm.tasks().length);
      await inState(NodeStatus_State.READY);
    }
    await swarm.stopLoops();
    return counts;
  }

  it.each([
    ['replicated', quick(), 5],
    ['replicated', quick(), 0],
    ['global', globalSpec({ restart }), 2],
  ])('are no more than bounds say, where they are %s', async (_, spec, historyLimit) => {
    const counts = await flapping(spec, historyLimit);
    expect(Math.max(...counts)).toBeLessThanOrEqual(UNHEARD_TASKS_MAX + 1);
    expect(counts.at(-1)).toBeGreaterThanOrEqual(UNHEARD_TASKS_MAX);
  });
});

describe('a task that is to be removed', () => {
  const give = (state: TaskState, nodeId = 'n1') =>
    completeObject(
      'task',
      create(TaskSchema, {
        id: 't1',
        serviceId: 'gone',
        slot: 1n,
        nodeId,
        desiredState: TaskState.REMOVE,
        status: { state },
      }),
    );

  it.each([
    [TaskState.PENDING, 0],
    [TaskState.ASSIGNED, 1],
    [TaskState.RUNNING, 1],
    [TaskState.COMPLETE, 0],
    [TaskState.ORPHANED, 0],
  ])('in state %s leaves %i tasks', async (state, left) => {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1');
    await swarm.store.update((tx) => tx.create('task', give(state)));
    swarm.startLoops();
    await settle();
    expect(swarm.store.view.count('task')).toBe(left);
  });

  it('goes with its node, which cannot report it any more', async () => {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1');
    await swarm.store.update((tx) => tx.create('task', give(TaskState.RUNNING)));
    swarm.startLoops();
    await swarm.store.update((tx) => tx.remove('node', 'n1'));
    await settle();
    expect(swarm.store.view.count('task')).toBe(0);
  });

  it('stays while its node is down, which may come back', async () => {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1');
    await swarm.changeNode('n1', (node) => ({
      status: { ...node.status, state: NodeStatus_State.DOWN },
    }));
    await swarm.store.update((tx) => tx.create('task', give(TaskState.RUNNING)));
    swarm.startLoops();
    await settle();
    expect(swarm.store.view.count('task')).toBe(1);
  });

  it('does not cost an entry of its own', async () => {
    const swarm = new SimSwarm();
    await swarm.store.update((tx) => {
      for (let at = 0; at < 500; at++) {
        tx.create('task', { ...give(TaskState.SHUTDOWN), id: `t${at}`, slot: BigInt(at + 1) });
      }
    });
    const before = swarm.proposer.entries.length;
    swarm.startLoops();
    await settle();
    expect(swarm.store.view.count('task')).toBe(0);
    expect(swarm.proposer.entries.length - before).toBe(3);
  });
});

it('deletes tasks that belong to no service when they have ended', async () => {
  const swarm = new SimSwarm();
  const attachment = (id: string, state: TaskState) =>
    completeObject('task', create(TaskSchema, { id, nodeId: 'n1', status: { state } }));
  await swarm.store.update((tx) => {
    tx.create('task', attachment('t1', TaskState.ORPHANED));
    tx.create('task', attachment('t2', TaskState.RUNNING));
    tx.create('task', attachment('t3', TaskState.FAILED));
  });
  swarm.startLoops();
  await settle();
  expect([...swarm.store.view.all('task')].map(({ id }) => id)).toEqual(['t2']);
  await swarm.report(swarm.store.view.get('task', 't2')!, TaskState.COMPLETE);
  expect(swarm.store.view.count('task')).toBe(0);
});
