import { durationFromMs, type TaskObject } from '@skep/wire';
import {
  NodeSpec_Availability as Availability,
  RestartPolicy_RestartCondition as Condition,
  NodeStatus_State,
  TaskState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isLive } from './slot.js';
import { globalJobSpec, replicatedJobSpec } from './specs.sim.js';
import { SimSwarm } from './swarm.sim.js';

const QUICK = { delay: durationFromMs(1_000) };

async function swarmOf(...nodes: string[]): Promise<SimSwarm> {
  const swarm = new SimSwarm();
  await swarm.addCluster(5);
  await swarm.addNodes(...nodes);
  swarm.startLoops();
  swarm.fate = () => TaskState.COMPLETE;
  return swarm;
}

function iteration(task: TaskObject): number {
  return Number(task.jobIteration?.index ?? -1n);
}

/** The tasks of a run that came to their end. */
function done(swarm: SimSwarm, run: number): TaskObject[] {
  const ended = ({ status }: TaskObject) => status.state === TaskState.COMPLETE;
  return swarm.tasks().filter((task) => iteration(task) === run && ended(task));
}

function live(swarm: SimSwarm): TaskObject[] {
  return swarm.tasks().filter((task) => isLive(task) && task.status.state <= TaskState.RUNNING);
}

function setAvailability(swarm: SimSwarm, id: string, availability: Availability): Promise<void> {
  return swarm.changeNode(id, ({ spec }) => ({ spec: { ...spec, availability } }));
}

describe('a replicated job', () => {
  it('has each of its slots, from 0, come to its end once', async () => {
    const swarm = await swarmOf('n1', 'n2');
    await swarm.addService('s1', replicatedJobSpec({ total: 3 }));
    expect(swarm.tasks().map(({ slot }) => Number(slot))).toEqual([0, 1, 2]);
    expect(swarm.tasks().every((task) => task.desiredState === TaskState.COMPLETE)).toBe(true);
    await swarm.run(60_000);
    expect(done(swarm, 0)).toHaveLength(3);
    expect(swarm.tasks()).toHaveLength(3);
  });

  it('runs no more at a time than it allows, and fills the lowest free slots', async () => {
    const swarm = await swarmOf('n1', 'n2');
    await swarm.addService('s1', replicatedJobSpec({ total: 7, concurrent: 2 }));
    let most = 0;
    await swarm.run(30_000, () => {
      most = Math.max(most, live(swarm).length);
    });
    expect(most).toBe(2);
    expect(done(swarm, 0).map(({ slot }) => Number(slot))).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it.each([Condition.ANY, Condition.ON_FAILURE])('restarts what fails (%i)', async (condition) => {
    const swarm = await swarmOf('n1');
    const tries = () => swarm.tasks().filter(({ slot }) => slot === 1n).length;
    swarm.fate = ({ slot }) =>
      slot === 1n && tries() <= 3 ? TaskState.FAILED : TaskState.COMPLETE;
    const restart = { ...QUICK, condition };
    await swarm.addService('s1', replicatedJobSpec({ total: 2, restart }));
    await swarm.run(10_000);
    expect(done(swarm, 0).map(({ slot }) => slot)).toEqual([0n, 1n]);
    expect(swarm.tasks().filter(({ status }) => status.state === TaskState.FAILED)).toHaveLength(3);
  });

  it.each([
    ['the policy forbids another', { ...QUICK, condition: Condition.NONE }, 1],
    ['its attempts are used up', { ...QUICK, condition: Condition.ANY, maxAttempts: 2n }, 3],
  ])('leaves a slot alone when %s, and goes on with the others', async (_, restart, tries) => {
    const swarm = await swarmOf('n1');
    swarm.fate = ({ slot }) => (slot === 0n ? TaskState.FAILED : TaskState.COMPLETE);
    await swarm.addService('s1', replicatedJobSpec({ total: 4, concurrent: 1, restart }));
    await swarm.run(60_000);
    expect(done(swarm, 0).map(({ slot }) => slot)).toEqual([1n, 2n, 3n]);
    expect(swarm.tasks().filter(({ slot }) => slot === 0n)).toHaveLength(tries);
    expect(live(swarm)).toEqual([]);
  });

  it('runs again with every update, and keeps what ended before as history', async () => {
    const swarm = await swarmOf('n1');
    await swarm.addService('s1', replicatedJobSpec({ total: 2 }));
    for (let run = 1; run <= 8; run++) {
      await swarm.run(5_000);
      await swarm.changeService('s1', replicatedJobSpec({ total: 2 }));
      expect(swarm.service().jobStatus?.jobIteration?.index).toBe(BigInt(run));
    }
    await swarm.run(5_000);
    expect(done(swarm, 8)).toHaveLength(2);
    // Five for each of the two slots, the present run included.
    expect(swarm.tasks()).toHaveLength(10);
  });

  it('stops what an update overtakes before its slot begins anew', async () => {
    const swarm = await swarmOf('n1');
    swarm.fate = () => TaskState.RUNNING;
    await swarm.addService('s1', replicatedJobSpec({ total: 2 }));
    await swarm.run(2_000);
    swarm.frozen.add('n1');
    await swarm.changeService('s1', replicatedJobSpec({ total: 2 }));
    await swarm.run(10_000);
    const fresh = () => swarm.tasks().filter((task) => iteration(task) === 1);
    expect(fresh().map(({ desiredState }) => desiredState)).toEqual([384, 384]);
    swarm.frozen.clear();
    swarm.fate = () => TaskState.COMPLETE;
    await swarm.run(5_000);
    expect(done(swarm, 1)).toHaveLength(2);
    expect(swarm.tasks()).toHaveLength(2);
  });

  it('gives up the slots, history and all, that it has no more', async () => {
    const swarm = await swarmOf('n1');
    await swarm.addService('s1', replicatedJobSpec({ total: 4 }));
    await swarm.run(5_000);
    await swarm.changeService('s1', replicatedJobSpec({ total: 1 }));
    await swarm.run(5_000);
    expect(swarm.tasks().map((task) => [Number(task.slot), iteration(task)])).toEqual([
      [0, 0],
      [0, 1],
    ]);
  });

  it('moves what was on a lost node, and counts a slot that ended twice once', async () => {
    const swarm = await swarmOf('n1', 'n2');
    swarm.fate = () => TaskState.RUNNING;
    await swarm.addService('s1', replicatedJobSpec({ total: 1 }));
    await swarm.run(2_000);
    const [first] = swarm.running() as [TaskObject];
    await swarm.changeNode(first.nodeId, ({ status }) => ({
      status: { ...status, state: NodeStatus_State.DOWN },
    }));
    await swarm.run(10_000);
    const [second] = swarm.running() as [TaskObject];
    expect(second.nodeId).not.toBe(first.nodeId);
    await swarm.report(first, TaskState.COMPLETE);
    await swarm.report(second, TaskState.FAILED);
    await swarm.run(10_000);
    expect(live(swarm)).toEqual([]);
    expect(done(swarm, 0)).toHaveLength(1);
  });

  it('begins nothing more in a slot whose lost task is heard of again, and is done', async () => {
    const swarm = await swarmOf('n1', 'n2');
    swarm.fate = () => TaskState.RUNNING;
    await swarm.addService('s1', replicatedJobSpec({ total: 1 }));
    await swarm.run(1_000);
    const [first] = swarm.running();
    const down = (node: string) =>
      swarm.changeNode(node, ({ status }) => ({
        status: { ...status, state: NodeStatus_State.DOWN },
      }));
    await down(first!.nodeId);
    expect(live(swarm)).toHaveLength(1);
    await swarm.report(first!, TaskState.COMPLETE);
    expect(live(swarm)).toHaveLength(0);
    await swarm.run(10_000);
    expect(swarm.running()).toEqual([]);
    expect(done(swarm, 0)).toHaveLength(1);
    expect(await swarm.entriesOfNewLoops()).toBe(0);
  });

  it('goes with its service', async () => {
    const swarm = await swarmOf('n1');
    await swarm.addService('s1', replicatedJobSpec({ total: 3, concurrent: 1 }));
    await swarm.run(1_500);
    await swarm.store.update((tx) => tx.remove('service', 's1'));
    await swarm.run(2_000);
    expect(swarm.tasks()).toEqual([]);
  });
});

describe('a global job', () => {
  it('comes to its end once on each node, those that join later included', async () => {
    const swarm = await swarmOf('n1', 'n2');
    await swarm.addService('s1', globalJobSpec());
    await swarm.run(3_000);
    await swarm.addNodes('n3');
    await swarm.run(60_000);
    expect(done(swarm, 0).map(({ nodeId }) => nodeId)).toEqual(['n1', 'n2', 'n3']);
    expect(swarm.tasks()).toHaveLength(3);
  });

  it('leaves drained and lost nodes out until they are back, and those that are done alone', async () => {
    const swarm = await swarmOf('n1', 'n2', 'n3');
    swarm.fate = ({ nodeId }) => (nodeId === 'n1' ? TaskState.COMPLETE : TaskState.RUNNING);
    await setAvailability(swarm, 'n3', Availability.PAUSE);
    await swarm.addService('s1', globalJobSpec());
    await swarm.run(3_000);
    await setAvailability(swarm, 'n1', Availability.DRAIN);
    await setAvailability(swarm, 'n2', Availability.DRAIN);
    await swarm.run(3_000);
    expect(live(swarm)).toEqual([]);
    swarm.fate = () => TaskState.COMPLETE;
    for (const id of ['n1', 'n2', 'n3']) await setAvailability(swarm, id, Availability.ACTIVE);
    await swarm.run(3_000);
    expect(done(swarm, 0).map(({ nodeId }) => nodeId)).toEqual(['n1', 'n2', 'n3']);
  });

  it('runs again with an update, and on a removed node no more', async () => {
    const swarm = await swarmOf('n1', 'n2');
    await swarm.addService('s1', globalJobSpec({ restart: QUICK }));
    await swarm.run(3_000);
    await swarm.store.update((tx) => tx.remove('node', 'n2'));
    await swarm.changeService('s1', globalJobSpec({ restart: QUICK }));
    await swarm.run(3_000);
    const seen = swarm.tasks().map((task) => `${task.nodeId} ${iteration(task)}`);
    expect(seen).toEqual(['n1 0', 'n1 1']);
  });
});
