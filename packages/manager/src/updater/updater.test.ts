import { durationFromMs } from '@skep/wire';
import {
  UpdateConfig_FailureAction as FailureAction,
  NodeSpec_Availability,
  type ServiceSpec,
  TaskState,
  UpdateConfig_UpdateOrder as UpdateOrder,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isLive } from '../orchestrator/slot.js';
import { globalSpec, replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimSwarm } from '../orchestrator/swarm.sim.js';

type Options = Parameters<typeof replicatedSpec>[0];

const version = (image: string, options: Partial<Options> = {}) =>
  replicatedSpec({ replicas: 4, image, ...options });

async function swarmWith(spec: Partial<ServiceSpec> = version('web:1'), historyLimit = 5) {
  const swarm = new SimSwarm();
  await swarm.addCluster(historyLimit);
  await swarm.addNodes('n1', 'n2');
  swarm.startLoops();
  await swarm.addService('s1', spec);
  await swarm.run(1_000);
  return swarm;
}

function imageOf(task: { spec: { runtime: { value?: unknown } } }): string {
  return (task.spec.runtime.value as { image: string }).image;
}

const images = (swarm: SimSwarm) => swarm.running().map(imageOf).sort();
const state = (swarm: SimSwarm) => swarm.service().updateStatus?.state;
const message = (swarm: SimSwarm) => swarm.service().updateStatus?.message;
const failing = (image: string) => (task: Parameters<SimSwarm['fate']>[0]) =>
  imageOf(task) === image ? TaskState.REJECTED : TaskState.RUNNING;

describe('a rolling update', () => {
  it('replaces slot after slot, then watches for the monitoring period', async () => {
    const swarm = await swarmWith();
    await swarm.changeService('s1', version('web:2'));
    expect(state(swarm)).toBe(UpdateState.UPDATING);
    expect(message(swarm)).toBe('update in progress');
    let most = 0;
    await swarm.run(4_000, () => {
      most = Math.max(most, 4 - swarm.running().length);
    });
    expect(most).toBe(1);
    expect(images(swarm)).toEqual(['web:2', 'web:2', 'web:2', 'web:2']);
    expect(state(swarm)).toBe(UpdateState.UPDATING);
    await swarm.run(4_500);
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
    expect(message(swarm)).toBe('update completed');
    expect(swarm.service().updateStatus?.completedAt).toBeDefined();
  });

  it('keeps as many slots in work as its parallelism says', async () => {
    const swarm = await swarmWith(version('web:1', { replicas: 7 }));
    const update = { parallelism: 3n };
    await swarm.changeService('s1', version('web:2', { replicas: 7, update }));
    let least = 7;
    await swarm.run(4_000, () => {
      least = Math.min(least, swarm.running().length);
    });
    expect(least).toBe(4);
    expect(images(swarm)).toEqual(new Array(7).fill('web:2'));
  });

  it('replaces all slots at once with a parallelism of 0', async () => {
    const swarm = await swarmWith();
    await swarm.changeService('s1', version('web:2', { update: { parallelism: 0n } }));
    const created = swarm.tasks().filter((task) => imageOf(task) === 'web:2');
    expect(created).toHaveLength(4);
    expect(created.every((task) => task.desiredState === TaskState.READY)).toBe(true);
  });

  it('waits its delay after each slot', async () => {
    const swarm = await swarmWith();
    const update = { parallelism: 1n, delay: durationFromMs(10_000) };
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.run(9_000);
    expect(images(swarm).filter((image) => image === 'web:2')).toHaveLength(1);
    await swarm.run(3_000);
    expect(images(swarm).filter((image) => image === 'web:2')).toHaveLength(2);
  });

  it('watches for the delay and a second more where the delay is the longer', async () => {
    const swarm = await swarmWith(version('web:1', { replicas: 1 }));
    const update = { parallelism: 1n, delay: durationFromMs(8_000) };
    await swarm.changeService('s1', version('web:2', { replicas: 1, update }));
    await swarm.run(16_900);
    expect(state(swarm)).toBe(UpdateState.UPDATING);
    await swarm.run(1_000);
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
  });

  it('starts the new task before it stops the old one when told so', async () => {
    const swarm = await swarmWith();
    const update = { parallelism: 1n, order: UpdateOrder.START_FIRST };
    await swarm.changeService('s1', version('web:2', { update }));
    let least = 4;
    await swarm.run(5_000, () => {
      least = Math.min(least, swarm.running().length);
    });
    expect(least).toBe(4);
    expect(images(swarm)).toEqual(['web:2', 'web:2', 'web:2', 'web:2']);
  });

  it('has one task more in a slot where the next update overtakes it, not two', async () => {
    const swarm = await swarmWith(version('web:1', { replicas: 1 }));
    const update = { parallelism: 1n, order: UpdateOrder.START_FIRST };
    const next = (image: string) => version(image, { replicas: 1, update });
    swarm.fate = (task) => (imageOf(task) === 'web:1' ? TaskState.RUNNING : TaskState.PREPARING);
    await swarm.changeService('s1', next('web:2'));
    await swarm.run(600);
    await swarm.stopLoops();
    // It comes to run, and before anybody looks it is of an old spec.
    await swarm.report(swarm.tasks().find((task) => imageOf(task) === 'web:2')!, TaskState.RUNNING);
    await swarm.changeService('s1', next('web:3'));
    expect(images(swarm)).toEqual(['web:1', 'web:2']);
    swarm.startLoops();
    await swarm.run(1_000);
    expect(images(swarm)).toEqual(['web:2']);
    swarm.fate = () => TaskState.RUNNING;
    await swarm.run(2_000);
    expect(images(swarm)).toEqual(['web:3']);
  });

  it('leaves one task in each slot that waits its turn where the next update overtakes it', async () => {
    const swarm = await swarmWith(version('web:1', { replicas: 3 }));
    const next = (image: string, parallelism: bigint) =>
      version(image, { replicas: 3, update: { parallelism, order: UpdateOrder.START_FIRST } });
    swarm.fate = (task) => (imageOf(task) === 'web:1' ? TaskState.RUNNING : TaskState.PREPARING);
    await swarm.changeService('s1', next('web:2', 3n));
    await swarm.run(600);
    await swarm.stopLoops();
    for (const task of swarm.tasks().filter((one) => imageOf(one) === 'web:2')) {
      await swarm.report(task, TaskState.RUNNING);
    }
    await swarm.changeService('s1', next('web:3', 1n));
    expect(swarm.running()).toHaveLength(6);
    swarm.startLoops();
    await swarm.run(1_000);
    expect(images(swarm)).toEqual(['web:2', 'web:2', 'web:2']);
    swarm.fate = () => TaskState.RUNNING;
    await swarm.run(6_000);
    expect(images(swarm)).toEqual(['web:3', 'web:3', 'web:3']);
  });

  it('stands still, without end, behind a task that does not come up', async () => {
    const swarm = await swarmWith();
    swarm.fate = (task) => (imageOf(task) === 'web:2' ? TaskState.PREPARING : TaskState.RUNNING);
    await swarm.changeService('s1', version('web:2'));
    await swarm.run(300_000);
    expect(images(swarm)).toEqual(['web:1', 'web:1', 'web:1']);
    expect(state(swarm)).toBe(UpdateState.UPDATING);
  });

  it('turns to a newer spec at once', async () => {
    const swarm = await swarmWith();
    await swarm.changeService('s1', version('web:2'));
    await swarm.run(600);
    await swarm.changeService('s1', version('web:3'));
    await swarm.run(12_000);
    expect(images(swarm)).toEqual(new Array(4).fill('web:3'));
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
  });

  it('says nothing and replaces nothing when nothing is dirty', async () => {
    const swarm = await swarmWith();
    await swarm.changeService('s1', version('web:1', { update: { parallelism: 2n } }));
    await swarm.run(1_000);
    expect(state(swarm)).toBeUndefined();
    expect(swarm.tasks()).toHaveLength(4);
  });

  it('leaves paused nodes of a global service out', async () => {
    const swarm = await swarmWith(globalSpec());
    await swarm.changeNode('n1', (node) => ({
      spec: { ...node.spec, availability: NodeSpec_Availability.PAUSE },
    }));
    await swarm.changeService('s1', globalSpec({ image: 'web:2' }));
    await swarm.run(8_000);
    expect(images(swarm)).toEqual(['web:1', 'web:2']);
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
  });
});

describe('an update that starts first', () => {
  const update = { parallelism: 0n, order: UpdateOrder.START_FIRST };

  it('leaves one task a slot when it is taken back at once', async () => {
    const swarm = await swarmWith(version('web:1', { update }));
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.changeService('s1', version('web:1', { update }));
    await swarm.run(10_000);
    expect(swarm.tasks().filter(isLive)).toHaveLength(4);
    expect(images(swarm)).toEqual(new Array(4).fill('web:1'));
  });

  it('also ends on a node that returned after the update was complete', async () => {
    const swarm = await swarmWith(globalSpec({ update }));
    const setPaused = (availability: NodeSpec_Availability) =>
      swarm.changeNode('n1', (node) => ({ spec: { ...node.spec, availability } }));
    await setPaused(NodeSpec_Availability.PAUSE);
    await swarm.changeService('s1', globalSpec({ image: 'web:2', update }));
    await swarm.run(8_000);
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
    await setPaused(NodeSpec_Availability.ACTIVE);
    await swarm.run(1_000);
    expect(swarm.tasks().filter(isLive).map(imageOf)).toEqual(['web:2', 'web:2']);
  });

  /** A global service of `web:1` on two nodes; one of them was paused while it prepared `web:2`. */
  async function pausedInWork() {
    const inTurn = { ...update, parallelism: 1n };
    const swarm = await swarmWith(globalSpec({ update: inTurn }));
    swarm.fate = (task) => (imageOf(task) === 'web:2' ? TaskState.PREPARING : TaskState.RUNNING);
    await swarm.changeService('s1', globalSpec({ image: 'web:2', update: inTurn }));
    await swarm.run(1_000);
    const { nodeId } = swarm.tasks().find((task) => imageOf(task) === 'web:2')!;
    await swarm.changeNode(nodeId, (node) => ({
      spec: { ...node.spec, availability: NodeSpec_Availability.PAUSE },
    }));
    await swarm.run(1_000);
    return { swarm, inTurn, nodeId };
  }

  it('ends what it has in work on a node that is paused, before the next has its turn', async () => {
    const { swarm } = await pausedInWork();
    expect(swarm.tasks().filter((task) => imageOf(task) === 'web:2')).toHaveLength(1);
    swarm.fate = () => TaskState.RUNNING;
    await swarm.run(10_000);
    expect(swarm.tasks().filter(isLive).map(imageOf)).toEqual(['web:2', 'web:2']);
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
  });

  it('leaves one task on a paused node where the next update overtakes it', async () => {
    const { swarm, inTurn, nodeId } = await pausedInWork();
    await swarm.changeService('s1', globalSpec({ image: 'web:3', update: inTurn }));
    await swarm.run(10_000);
    const left = swarm.tasks().filter(isLive);
    expect(left.filter((task) => task.nodeId === nodeId).map(imageOf)).toEqual(['web:1']);
    expect(left.filter((task) => task.nodeId !== nodeId).map(imageOf)).toEqual(['web:3']);
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
  });
});

describe('a failing update', () => {
  it('pauses over the first task by default, and stays paused', async () => {
    const swarm = await swarmWith();
    swarm.fate = failing('web:2');
    await swarm.changeService('s1', version('web:2'));
    await swarm.run(30_000);
    expect(state(swarm)).toBe(UpdateState.PAUSED);
    expect(message(swarm)).toMatch(
      /^update paused due to failure or early termination of task [0-9a-z]{25}$/,
    );
    await swarm.restartLoops();
    await swarm.run(10_000);
    expect(images(swarm)).toEqual(['web:1', 'web:1', 'web:1']);
  });

  it('leaves one task a slot when it pauses while others are in work', async () => {
    const update = { parallelism: 2n, order: UpdateOrder.START_FIRST };
    const swarm = await swarmWith();
    const isNew = (task: Parameters<SimSwarm['fate']>[0]) => imageOf(task) === 'web:2';
    swarm.fate = (task) => {
      if (!isNew(task)) return TaskState.RUNNING;
      return task.slot === 1n ? TaskState.REJECTED : TaskState.PREPARING;
    };
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.run(3_000);
    expect(state(swarm)).toBe(UpdateState.PAUSED);
    expect(images(swarm)).toEqual(new Array(4).fill('web:1'));
    swarm.fate = () => TaskState.RUNNING;
    await swarm.run(30_000);
    expect(state(swarm)).toBe(UpdateState.PAUSED);
    expect(images(swarm)).toEqual(['web:1', 'web:1', 'web:2', 'web:2']);
    expect(new Set(swarm.running().map(({ slot }) => slot)).size).toBe(4);
    expect(await swarm.entriesOfNewLoops()).toBe(0);
  });

  it('goes on when told to continue', async () => {
    const swarm = await swarmWith();
    swarm.fate = failing('web:2');
    const update = { parallelism: 1n, failureAction: FailureAction.CONTINUE };
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.run(20_000);
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
    expect(
      swarm
        .tasks()
        .filter(isLive)
        .every((task) => imageOf(task) === 'web:2'),
    ).toBe(true);
  });

  it('bears as many failures as its ratio allows, each slot counted once', async () => {
    const half = (slot: bigint) => (task: Parameters<SimSwarm['fate']>[0]) =>
      imageOf(task) === 'web:2' && task.slot <= slot ? TaskState.FAILED : TaskState.RUNNING;
    const update = { parallelism: 4n, maxFailureRatio: 0.5, monitor: durationFromMs(20_000) };
    const bearable = await swarmWith();
    bearable.fate = half(2n);
    await bearable.changeService('s1', version('web:2', { update }));
    await bearable.run(40_000);
    expect(state(bearable)).toBe(UpdateState.COMPLETED);
    const unbearable = await swarmWith();
    unbearable.fate = half(3n);
    await unbearable.changeService('s1', version('web:2', { update }));
    await unbearable.run(40_000);
    expect(state(unbearable)).toBe(UpdateState.PAUSED);
  });

  it('does not count a task that ran longer than the monitoring period', async () => {
    const swarm = await swarmWith();
    const update = { parallelism: 1n, delay: durationFromMs(10_000) };
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.run(7_000);
    const updated = swarm.running().find((task) => imageOf(task) === 'web:2')!;
    await swarm.report(updated, TaskState.FAILED);
    await swarm.run(100);
    expect(state(swarm)).toBe(UpdateState.UPDATING);
  });

  it('rolls back to the previous spec, leaving tasks that still run it alone', async () => {
    const swarm = await swarmWith();
    const untouched = swarm.running().filter(({ slot }) => slot > 1n);
    swarm.fate = failing('web:2');
    const update = { parallelism: 1n, failureAction: FailureAction.ROLLBACK };
    await swarm.changeService('s1', version('web:2', { update }));
    const firstVersion = swarm.service().previousSpecVersion;
    await swarm.run(2_000);
    expect(state(swarm)).toBe(UpdateState.ROLLBACK_STARTED);
    expect(message(swarm)).toMatch(/^update rolled back due to failure or early termination of/);
    expect(swarm.service()).toMatchObject({ specVersion: firstVersion, previousSpec: undefined });
    await swarm.run(15_000);
    expect(state(swarm)).toBe(UpdateState.ROLLBACK_COMPLETED);
    expect(message(swarm)).toBe('rollback completed');
    expect(images(swarm)).toEqual(new Array(4).fill('web:1'));
    const ids = swarm.running().map(({ id }) => id);
    expect(ids).toEqual(expect.arrayContaining(untouched.map(({ id }) => id)));
  });

  it('never rolls back a rollback', async () => {
    const swarm = await swarmWith(
      version('web:1', { rollback: { parallelism: 1n, failureAction: FailureAction.ROLLBACK } }),
    );
    const update = { parallelism: 1n, failureAction: FailureAction.ROLLBACK };
    swarm.fate = (task) => (task.slot === 1n ? TaskState.FAILED : TaskState.RUNNING);
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.run(30_000);
    expect(state(swarm)).toBe(UpdateState.ROLLBACK_PAUSED);
    expect(message(swarm)).toMatch(/^rollback paused due to failure or early termination of/);
  });

  it('pauses a rollback that fails, in the words that Docker has for an update', async () => {
    const swarm = await swarmWith(version('web:1', { rollback: { parallelism: 1n } }));
    const update = { parallelism: 1n, failureAction: FailureAction.ROLLBACK };
    swarm.fate = (task) => (task.slot === 1n ? TaskState.FAILED : TaskState.RUNNING);
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.run(30_000);
    expect(state(swarm)).toBe(UpdateState.ROLLBACK_PAUSED);
    expect(message(swarm)).toMatch(/^update paused due to failure or early termination of/);
  });

  it('pauses where there is nothing to roll back to', async () => {
    const swarm = await swarmWith();
    swarm.fate = failing('web:2');
    const update = { parallelism: 1n, failureAction: FailureAction.ROLLBACK };
    await swarm.changeService('s1', version('web:2', { update }));
    await swarm.store.update((tx) => {
      tx.update('service', { ...tx.get('service', 's1')!, previousSpec: undefined });
    });
    await swarm.run(10_000);
    expect(state(swarm)).toBe(UpdateState.PAUSED);
  });
});

describe('an update under a new leader', () => {
  it.each([300, 800, 1_500, 3_000])('goes on where it was after %s ms', async (whenMs) => {
    const swarm = await swarmWith();
    await swarm.changeService('s1', version('web:2'));
    await swarm.run(whenMs);
    let most = 0;
    await swarm.restartLoops();
    await swarm.run(12_000, () => {
      most = Math.max(most, 4 - swarm.running().length);
    });
    expect(most).toBeLessThanOrEqual(1);
    expect(images(swarm)).toEqual(new Array(4).fill('web:2'));
    expect(state(swarm)).toBe(UpdateState.COMPLETED);
  });

  it('still counts the failures of before, even if no history is kept', async () => {
    const swarm = await swarmWith(version('web:1'), 0);
    swarm.fate = failing('web:2');
    const update = { parallelism: 1n, maxFailureRatio: 0.3, delay: durationFromMs(2_000) };
    await swarm.changeService('s1', version('web:2', { update }));
    for (let round = 0; round < 40 && state(swarm) === UpdateState.UPDATING; round++) {
      await swarm.run(700);
      await swarm.restartLoops();
    }
    expect(state(swarm)).toBe(UpdateState.PAUSED);
    expect(images(swarm)).toEqual(['web:1', 'web:1']);
  });

  it('leaves a paused rollback paused', async () => {
    const swarm = await swarmWith();
    await swarm.stopLoops();
    await swarm.changeService('s1', version('web:2'));
    await swarm.store.update((tx) => {
      const service = tx.get('service', 's1')!;
      const updateStatus = { $typeName: 'docker.swarmkit.v1.UpdateStatus', message: '' } as const;
      tx.update('service', {
        ...service,
        updateStatus: { ...updateStatus, state: UpdateState.ROLLBACK_PAUSED },
      });
    });
    swarm.startLoops();
    await swarm.run(10_000);
    expect(images(swarm)).toEqual(new Array(4).fill('web:1'));
  });
});
