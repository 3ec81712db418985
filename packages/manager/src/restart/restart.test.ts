import { durationFromMs } from '@skep/wire';
import {
  RestartPolicy_RestartCondition as Condition,
  NodeSpec_Availability,
  NodeStatus_State,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { globalSpec, replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';

type Spec = ReturnType<typeof replicatedSpec>;
type Policy = NonNullable<Parameters<typeof replicatedSpec>[0]['restart']>;

async function swarmOf(spec: Spec) {
  const swarm = new SimSwarm();
  await swarm.addNodes('n1', 'n2');
  swarm.startLoops();
  await swarm.addService('s1', spec);
  await swarm.run(500);
  return swarm;
}

const one = (restart?: Policy) => replicatedSpec({ replicas: 1, ...(restart && { restart }) });
/** Its data outlives its tasks, which must not run side by side. */
const withData = () => replicatedSpec({ replicas: 1, mounts: [{ source: 'data', target: '/' }] });
const any = (policy: Policy = {}): Policy => ({ condition: Condition.ANY, ...policy });

async function endOne(swarm: SimSwarm, state: TaskState = TaskState.FAILED) {
  const task = swarm.running()[0]!;
  await swarm.report(task, state);
  return task;
}

const setNode = (swarm: SimSwarm, id: string, change: 'down' | 'drain') =>
  swarm.changeNode(id, ({ spec, status }) =>
    change === 'drain'
      ? { spec: { ...spec, availability: NodeSpec_Availability.DRAIN } }
      : { status: { ...status, state: NodeStatus_State.DOWN } },
  );

describe('a task that fails', () => {
  it('is told to shut down and replaced by one held at READY in the same entry', async () => {
    const swarm = await swarmOf(one());
    const commits: string[][] = [];
    swarm.store.subscribe(({ changes }) => {
      commits.push(changes.map(({ kind, table }) => `${kind} ${table}`));
    });
    const failed = await endOne(swarm);
    expect(commits.at(-1)).toEqual(['update task', 'create task']);
    const [old, next] = swarm.tasks();
    expect(old).toMatchObject({ id: failed.id, desiredState: TaskState.SHUTDOWN });
    expect(next).toMatchObject({ desiredState: TaskState.READY, slot: 1n });
  });

  it('is replaced after 5 s when its policy names no delay', async () => {
    const swarm = await swarmOf(one());
    await endOne(swarm);
    await swarm.run(4_900);
    expect(swarm.running()).toEqual([]);
    await swarm.run(400);
    expect(swarm.running()).toHaveLength(1);
  });

  it('is replaced after the delay of its policy', async () => {
    const swarm = await swarmOf(one(any({ delay: durationFromMs(1_000) })));
    await endOne(swarm);
    await swarm.run(1_300);
    expect(swarm.running()).toHaveLength(1);
  });

  it('keeps its delay when the spec version is newer and the spec the same', async () => {
    const swarm = await swarmOf(one());
    await swarm.changeService('s1', replicatedSpec({ replicas: 1 }));
    await endOne(swarm);
    await swarm.run(4_900);
    expect(swarm.running()).toEqual([]);
  });

  it('serves out the delay when it dies while held back', async () => {
    const swarm = await swarmOf(one());
    await endOne(swarm);
    swarm.fate = () => TaskState.REJECTED;
    await swarm.run(4_900);
    expect(swarm.tasks()).toHaveLength(2);
    await swarm.run(200);
    expect(swarm.tasks()).toHaveLength(3);
  });

  it('waits out what is left of its delay under the next leader', async () => {
    const swarm = await swarmOf(one());
    await endOne(swarm);
    await swarm.run(3_000);
    await swarm.restartLoops();
    await swarm.run(1_800);
    expect(swarm.running()).toEqual([]);
    await swarm.run(500);
    expect(swarm.running()).toHaveLength(1);
  });
});

describe('the restart condition', () => {
  it.each([
    ['none', Condition.NONE, TaskState.FAILED, 0],
    ['on-failure', Condition.ON_FAILURE, TaskState.COMPLETE, 0],
    ['on-failure', Condition.ON_FAILURE, TaskState.FAILED, 1],
    ['any', Condition.ANY, TaskState.COMPLETE, 1],
  ] as const)('%s (%s), after state %s, leaves %s running', async (_, condition, state, left) => {
    const swarm = await swarmOf(one({ condition }));
    await endOne(swarm, state);
    await swarm.run(8_000);
    expect(swarm.running()).toHaveLength(left);
    await swarm.restartLoops();
    await swarm.run(1_000);
    expect(swarm.running()).toHaveLength(left);
  });

  it('none keeps the slot empty until the service is updated', async () => {
    const spec = { condition: Condition.NONE };
    const swarm = await swarmOf(one(spec));
    await endOne(swarm);
    await swarm.run(8_000);
    expect(swarm.tasks()).toHaveLength(1);
    await swarm.changeService('s1', replicatedSpec({ replicas: 1, image: 'web:2', restart: spec }));
    await swarm.run(1_000);
    expect(swarm.running()).toHaveLength(1);
  });

  it('none lets a task end with its node', async () => {
    const swarm = await swarmOf(one({ condition: Condition.NONE }));
    await setNode(swarm, swarm.running()[0]!.nodeId, 'down');
    await swarm.run(8_000);
    expect(swarm.running()).toEqual([]);
  });
});

describe('the number of attempts', () => {
  const delay = durationFromMs(1_000);

  it('is spent slot by slot', async () => {
    const restart = any({ maxAttempts: 2n, delay });
    const swarm = await swarmOf(replicatedSpec({ replicas: 2, restart }));
    const stable = swarm.running()[1]!.id;
    swarm.fate = (task) => (task.slot === 1n ? TaskState.FAILED : TaskState.RUNNING);
    await swarm.run(20_000);
    expect(swarm.tasks().filter(({ slot }) => slot === 1n)).toHaveLength(3);
    expect(swarm.running().map(({ id }) => id)).toEqual([stable]);
  });

  it('is spent node by node for a global service', async () => {
    const restart = any({ maxAttempts: 1n, delay });
    const swarm = await swarmOf(globalSpec({ restart }));
    swarm.fate = () => TaskState.FAILED;
    await swarm.run(20_000);
    expect(swarm.tasks()).toHaveLength(4);
  });

  it('is known to the next leader', async () => {
    const swarm = await swarmOf(one(any({ maxAttempts: 3n, delay })));
    swarm.fate = () => TaskState.FAILED;
    for (let round = 0; round < 20; round++) {
      await swarm.run(700);
      await swarm.restartLoops();
    }
    expect(swarm.tasks()).toHaveLength(4);
  });

  it('starts anew with a new spec', async () => {
    const restart = any({ maxAttempts: 1n, delay });
    const swarm = await swarmOf(one(restart));
    swarm.fate = () => TaskState.FAILED;
    await swarm.run(10_000);
    const spent = swarm.tasks().length;
    await swarm.changeService('s1', replicatedSpec({ replicas: 1, image: 'web:2', restart }));
    await swarm.run(10_000);
    const fresh = swarm.tasks().filter(({ specVersion }) => specVersion?.index !== 0n);
    expect([spent, fresh.length]).toEqual([2, 2]);
  });

  it('counts only what lies within the window', async () => {
    const restart = any({ maxAttempts: 2n, delay, window: durationFromMs(5_000) });
    const swarm = await swarmOf(one(restart));
    for (let round = 0; round < 5; round++) {
      await endOne(swarm);
      await swarm.run(6_000);
    }
    expect(swarm.running()).toHaveLength(1);
    swarm.fate = () => TaskState.FAILED;
    await swarm.run(20_000);
    expect(swarm.running()).toEqual([]);
    const tasks = swarm.tasks().length;
    await swarm.run(20_000);
    expect(swarm.tasks()).toHaveLength(tasks);
  });
});

describe('a task whose node is lost', () => {
  it('moves after the old one has stopped where both would write to the same data', async () => {
    const swarm = await swarmOf(withData());
    const { nodeId } = swarm.running()[0]!;
    swarm.frozen.add(nodeId);
    await setNode(swarm, nodeId, 'drain');
    await swarm.run(3_000);
    expect(swarm.tasks().at(-1)?.status.state).toBe(TaskState.READY);
    swarm.frozen.clear();
    await swarm.run(300);
    expect(swarm.running().map((task) => task.nodeId)).not.toContain(nodeId);
    expect(swarm.running()).toHaveLength(1);
  });

  it('waits neither for the old one nor for its delay when the node is down', async () => {
    const swarm = await swarmOf(one(any({ delay: durationFromMs(30_000) })));
    const { nodeId } = swarm.running()[0]!;
    await setNode(swarm, nodeId, 'down');
    await swarm.run(300);
    const live = swarm.running().filter((task) => task.nodeId !== nodeId);
    expect(live).toHaveLength(1);
  });

  it('does not wait any longer when the node of the old one goes down or away', async () => {
    const swarm = await swarmOf(withData());
    const { nodeId } = swarm.running()[0]!;
    swarm.frozen.add(nodeId);
    await setNode(swarm, nodeId, 'drain');
    await swarm.run(1_000);
    await swarm.store.update((tx) => tx.remove('node', nodeId));
    await swarm.run(300);
    expect(swarm.running()).toHaveLength(1);
  });

  it('waits at most a minute for the old one', async () => {
    const swarm = await swarmOf(withData());
    const { nodeId } = swarm.running()[0]!;
    swarm.frozen.add(nodeId);
    await setNode(swarm, nodeId, 'drain');
    await swarm.run(59_800);
    expect(swarm.running().filter((task) => task.nodeId !== nodeId)).toEqual([]);
    await swarm.run(500);
    expect(swarm.running().filter((task) => task.nodeId !== nodeId)).toHaveLength(1);
  });

  it('moves although its node was lost while nobody led', async () => {
    const swarm = await swarmOf(one());
    const { nodeId } = swarm.running()[0]!;
    await swarm.stopLoops();
    await setNode(swarm, nodeId, 'down');
    swarm.startLoops();
    await swarm.run(500);
    expect(swarm.running().some((task) => task.nodeId !== nodeId)).toBe(true);
  });
});

it('leaves no timer behind when stopped', async () => {
  const swarm = await swarmOf(one());
  await endOne(swarm);
  expect(swarm.clock.pendingTimers).toBe(1);
  await swarm.stopLoops();
  expect(swarm.clock.pendingTimers).toBe(0);
});
