import { durationFromMs, type TaskObject } from '@skep/wire';
import {
  RestartPolicy_RestartCondition as Condition,
  Mount_Type,
  NodeSpec_Availability,
  NodeStatus_State,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isLive } from '../orchestrator/slot.js';
import { globalSpec, replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';

type Options = Partial<Parameters<typeof replicatedSpec>[0]>;

/** Two tasks, one of them on n1; other nodes have room. */
async function swarmOf(options: Options = {}, ids = ['n1', 'n2', 'n3']) {
  const swarm = new SimSwarm();
  await swarm.addNodes(...ids);
  swarm.startLoops();
  await swarm.addService('s1', replicatedSpec({ replicas: 2, ...options }));
  await swarm.run(500);
  return swarm;
}

const setAvailability = (swarm: SimSwarm, id: string, to: 'ACTIVE' | 'DRAIN') =>
  swarm.changeNode(id, ({ spec }) => ({
    spec: { ...spec, availability: NodeSpec_Availability[to] },
  }));
const drain = (swarm: SimSwarm, id = 'n1') => setAvailability(swarm, id, 'DRAIN');
const live = (swarm: SimSwarm) => swarm.tasks().filter(isLive);
const nodes = (tasks: readonly TaskObject[]) => tasks.map(({ nodeId }) => nodeId).sort();

/** The fewest that ran at any step. */
async function leastRunning(swarm: SimSwarm, ms: number): Promise<number> {
  let least = Number.MAX_SAFE_INTEGER;
  await swarm.run(ms, () => {
    least = Math.min(least, swarm.running().length);
  });
  return least;
}

describe('a task on a node that is drained', () => {
  it('goes on until another runs in its stead', async () => {
    const swarm = await swarmOf();
    await drain(swarm);
    expect(await leastRunning(swarm, 2_000)).toBe(2);
    expect(nodes(live(swarm))).toEqual(['n2', 'n3']);
    expect(swarm.tasks().filter(({ nodeId }) => nodeId === 'n1')).toMatchObject([
      { desiredState: TaskState.SHUTDOWN },
    ]);
    expect(swarm.service().updateStatus).toBeUndefined();
  });

  it('is handed over to the end under new leaders', async () => {
    const swarm = await swarmOf();
    await drain(swarm);
    for (let step = 0; step < 10; step++) {
      await swarm.restartLoops();
      expect(await leastRunning(swarm, 100)).toBeGreaterThanOrEqual(2);
    }
    expect(nodes(live(swarm))).toEqual(['n2', 'n3']);
  });

  it('stops at once where no other node may run it', async () => {
    const swarm = await swarmOf({ constraints: ['node.id==n1'] });
    await drain(swarm);
    const waiting = swarm.tasks().filter((task) => isLive(task) && task.nodeId === '');
    expect(waiting).toHaveLength(2);
    for (const task of waiting) await refuse(swarm, task);
    await swarm.run(200);
    expect(swarm.running()).toEqual([]);
    expect(live(swarm)).toHaveLength(2);
  });

  it('goes on while a new leader has not heard of all nodes, which might take it', async () => {
    const swarm = await swarmOf({ constraints: ['node.id==n1'] });
    await setState(swarm, 'n3', NodeStatus_State.UNKNOWN);
    await drain(swarm);
    for (const task of live(swarm)) if (task.nodeId === '') await refuse(swarm, task);
    expect(await leastRunning(swarm, 3_000)).toBe(2);
    await setState(swarm, 'n3', NodeStatus_State.DOWN);
    await swarm.run(1_500);
    expect(swarm.running()).toEqual([]);
  });

  it('waits five minutes for one that does not come up, and then stops', async () => {
    const swarm = await swarmOf();
    swarm.fate = ({ nodeId }) => (nodeId === 'n3' ? TaskState.PREPARING : TaskState.RUNNING);
    await setAvailability(swarm, 'n2', 'DRAIN');
    await swarm.run(299_500);
    expect(nodes(swarm.running())).toEqual(['n1', 'n2']);
    await swarm.run(1_000);
    expect(nodes(swarm.running())).toEqual(['n1']);
  });

  it.each([0, 5])('bears two failures, not a third, with a history of %s', async (limit) => {
    const swarm = new SimSwarm();
    await swarm.addCluster(limit);
    await swarm.addNodes('n1', 'n2');
    swarm.startLoops();
    const restart = { condition: Condition.ANY, delay: durationFromMs(1_000) };
    await swarm.addService('s1', replicatedSpec({ replicas: 1, restart }));
    await swarm.run(500);
    swarm.fate = ({ nodeId }) => (nodeId === 'n2' ? TaskState.REJECTED : TaskState.RUNNING);
    await drain(swarm);
    await swarm.run(1_000);
    expect(nodes(swarm.running())).toEqual(['n1']);
    await swarm.run(1_000);
    expect(swarm.running()).toEqual([]);
  });

  it('ends with its node where its policy lets nothing take its place', async () => {
    const swarm = await swarmOf({ restart: { condition: Condition.NONE } });
    await drain(swarm);
    await swarm.run(1_000);
    expect(nodes(swarm.running())).toEqual(['n2']);
    expect(swarm.tasks()).toHaveLength(2);
  });

  it('is replaced as ever when its node goes down meanwhile', async () => {
    const swarm = await swarmOf();
    swarm.fate = ({ nodeId }) => (nodeId === 'n3' ? TaskState.PREPARING : TaskState.RUNNING);
    await drain(swarm);
    await swarm.run(1_000);
    await setState(swarm, 'n1', NodeStatus_State.DOWN);
    swarm.fate = () => TaskState.RUNNING;
    await swarm.run(1_000);
    expect(nodes(live(swarm))).toEqual(['n2', 'n3']);
  });

  it('moves on when the node it was handed to is drained too', async () => {
    const swarm = await swarmOf({ replicas: 1 }, ['n1', 'n2', 'n3']);
    await drain(swarm, 'n1');
    await drain(swarm, 'n2');
    expect(await leastRunning(swarm, 3_000)).toBe(1);
    expect(nodes(live(swarm))).toEqual(['n3']);
  });

  it('has one successor when both nodes of its slot are drained at the same moment', async () => {
    const swarm = await swarmOf({ replicas: 1 }, ['n1', 'n2', 'n3']);
    await drain(swarm, 'n1');
    await swarm.run(200);
    await swarm.stopLoops();
    await swarm.run(500);
    expect(nodes(swarm.running())).toEqual(['n1', 'n2']);
    await drain(swarm, 'n2');
    swarm.startLoops();
    await swarm.run(2_000);
    expect(nodes(live(swarm))).toEqual(['n3']);
  });

  it('stays, and its successor goes, when the node opens again', async () => {
    const swarm = await swarmOf();
    swarm.fate = ({ nodeId }) => (nodeId === 'n3' ? TaskState.PREPARING : TaskState.RUNNING);
    await drain(swarm);
    await swarm.run(1_000);
    expect(live(swarm)).toHaveLength(3);
    await setAvailability(swarm, 'n1', 'ACTIVE');
    await swarm.run(1_000);
    expect(nodes(live(swarm))).toEqual(['n1', 'n2']);
    expect(swarm.service().updateStatus).toBeUndefined();
  });

  it('of a global service stops at once', async () => {
    const swarm = new SimSwarm();
    await swarm.addNodes('n1', 'n2');
    swarm.startLoops();
    await swarm.addService('s1', globalSpec());
    await swarm.run(500);
    await drain(swarm);
    await swarm.run(300);
    expect(nodes(live(swarm))).toEqual(['n2']);
  });
});

describe('a task with data of its own on a node that is drained', () => {
  const overlaps = async (options: Options) => {
    const swarm = await swarmOf(options);
    await drain(swarm);
    return (await leastRunning(swarm, 2_000)) === 2;
  };
  const volume = { type: Mount_Type.VOLUME, source: 'data', target: '/data' };

  it('is not handed over while it runs', async () => {
    expect(await overlaps({ mounts: [volume] })).toBe(false);
    expect(await overlaps({ mounts: [{ ...volume, type: Mount_Type.BIND }] })).toBe(false);
  });

  it('is where nothing of it is kept or written, or the service says that it bears it', async () => {
    expect(await overlaps({ mounts: [{ ...volume, readonly: true }] })).toBe(true);
    expect(await overlaps({ mounts: [{ ...volume, source: '' }] })).toBe(true);
    expect(await overlaps({ mounts: [{ ...volume, type: Mount_Type.TMPFS }] })).toBe(true);
    const update = { order: UpdateOrder.START_FIRST };
    expect(await overlaps({ mounts: [volume], update })).toBe(true);
  });
});

describe('a drain during an update', () => {
  it('leaves no slot without a task beyond those the update may have in work', async () => {
    const update = { parallelism: 1n };
    const swarm = await swarmOf({ replicas: 6, update });
    await swarm.changeService('s1', replicatedSpec({ replicas: 6, image: 'web:2', update }));
    await swarm.run(200);
    await drain(swarm);
    expect(await leastRunning(swarm, 12_000)).toBeGreaterThanOrEqual(5);
    expect(nodes(live(swarm))).not.toContain('n1');
    expect(live(swarm)).toHaveLength(6);
  });

  it('and a scale-down leave as many as asked for', async () => {
    const swarm = await swarmOf({ replicas: 6 });
    await drain(swarm);
    await swarm.changeService('s1', replicatedSpec({ replicas: 3 }));
    await swarm.run(3_000);
    expect(live(swarm)).toHaveLength(3);
    expect(nodes(swarm.running())).not.toContain('n1');
  });
});

/** Says, as the scheduler does, that there is no place for a task. */
async function refuse(swarm: SimSwarm, { id }: TaskObject): Promise<void> {
  await swarm.store.update((tx) => {
    const task = tx.get('task', id);
    if (!task) return;
    const status = { ...task.status, state: TaskState.PENDING, err: 'no suitable node' };
    tx.update('task', { ...task, status });
  });
}

function setState(swarm: SimSwarm, id: string, state: NodeStatus_State): Promise<void> {
  return swarm.changeNode(id, ({ status }) => ({ status: { ...status, state } }));
}
