import { durationFromMs, type TaskObject } from '@skep/wire';
import { NodeSpec_Availability, NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { isLive } from '../orchestrator/slot.js';
import { globalSpec, replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimLeader } from './leader.sim.js';

const { ACTIVE, PAUSE, DRAIN } = NodeSpec_Availability;
const { DOWN, READY, UNKNOWN, DISCONNECTED } = NodeStatus_State;
const NODES = ['n1', 'n2', 'n3'];

async function withService(spec = replicatedSpec({ replicas: 6 })): Promise<SimLeader> {
  const sim = await SimLeader.of(...NODES);
  await sim.addService('s1', spec);
  await sim.run(2_000);
  return sim;
}

const wanted = (sim: SimLeader) => sim.tasks().filter(isLive);
const ids = (sim: SimLeader) =>
  wanted(sim)
    .map(({ id }) => id)
    .sort();
const runs = ({ status }: TaskObject) => status.state === TaskState.RUNNING;
const runningOn = (sim: SimLeader, ...nodeIds: string[]) =>
  wanted(sim).filter((task) => runs(task) && nodeIds.includes(task.nodeId)).length;

describe('a worker that dies', () => {
  it.each(['killed', 'unplugged'])('%s, has its tasks run elsewhere within 6 s', async (how) => {
    const sim = await withService();
    expect(runningOn(sim, 'n1')).toBe(2);
    if (how === 'killed') sim.agent('n1').kill();
    else sim.agent('n1').unplug();
    await sim.run(3_400);
    expect(sim.nodeState('n1')).toBe(DOWN);
    await sim.run(1_600);
    expect(runningOn(sim, 'n2', 'n3')).toBe(6);
  });

  it('and comes back, stops what it should no longer run', async () => {
    const sim = await withService();
    sim.agent('n1').unplug();
    await sim.run(10_000);
    expect(sim.agent('n1').running).toHaveLength(2);
    expect(runningOn(sim, 'n2', 'n3')).toBe(6);
    sim.agent('n1').plug();
    await sim.run(2_000);
    expect(sim.nodeState('n1')).toBe(READY);
    expect(sim.agent('n1').running).toEqual([]);
    expect([...sim.containers().values()].flat()).toHaveLength(6);
  });

  it('for less than its grace keeps what it has', async () => {
    const sim = await withService();
    const before = ids(sim);
    sim.agent('n1').unplug();
    await sim.run(2_500);
    sim.agent('n1').plug();
    await sim.run(10_000);
    expect(ids(sim)).toEqual(before);
    expect(sim.agent('n1').running).toHaveLength(2);
  });

  it('loses its task of a global service, and has it again when it comes back', async () => {
    const sim = await withService(globalSpec());
    sim.agent('n1').kill();
    await sim.run(6_000);
    expect(
      wanted(sim)
        .map(({ nodeId }) => nodeId)
        .sort(),
    ).toEqual(['n2', 'n3']);
    sim.agent('n1').start();
    await sim.run(8_000);
    expect(runningOn(sim, 'n1')).toBe(1);
  });
});

describe('availability', () => {
  it('drain moves the tasks, pause keeps them and takes no more, active takes some again', async () => {
    const sim = await withService(replicatedSpec({ replicas: 3 }));
    await sim.setAvailability('n1', PAUSE);
    await sim.run(3_000);
    expect(runningOn(sim, 'n1')).toBe(1);
    await sim.setAvailability('n2', DRAIN);
    await sim.run(3_000);
    expect([runningOn(sim, 'n1'), runningOn(sim, 'n2'), runningOn(sim, 'n3')]).toEqual([1, 0, 2]);
    expect(sim.agent('n2').running).toEqual([]);
    await sim.setAvailability('n2', ACTIVE);
    await sim.setAvailability('n3', DRAIN);
    await sim.run(3_000);
    expect([runningOn(sim, 'n1'), runningOn(sim, 'n2')]).toEqual([1, 2]);
  });

  it('drain of every node leaves the tasks waiting, and one that is active takes them all', async () => {
    const sim = await withService(replicatedSpec({ replicas: 3 }));
    for (const id of NODES) await sim.setAvailability(id, DRAIN);
    await sim.run(5_000);
    expect([...sim.containers()]).toEqual([]);
    expect(wanted(sim)).toHaveLength(3);
    await sim.setAvailability('n2', ACTIVE);
    await sim.run(2_000);
    expect(runningOn(sim, 'n2')).toBe(3);
  });
});

it('a label that a constraint asks for moves tasks when it goes, and takes them when it comes', async () => {
  const sim = await SimLeader.of(...NODES);
  const labelled = { name: '', labels: { zone: 'a' }, indices: [] };
  const annotations = { $typeName: 'docker.swarmkit.v1.Annotations', ...labelled } as const;
  await sim.setSpec('n1', { annotations });
  const constraints = ['node.labels.zone==a'];
  const restart = { condition: 2, delay: durationFromMs(500) };
  await sim.addService('s1', replicatedSpec({ replicas: 2, constraints, restart }));
  await sim.run(2_000);
  expect(runningOn(sim, 'n1')).toBe(2);
  await sim.setSpec('n1', { annotations: { ...annotations, labels: {} } });
  await sim.run(3_000);
  expect([...sim.containers()]).toEqual([]);
  await sim.setSpec('n3', { annotations });
  await sim.run(3_000);
  expect(runningOn(sim, 'n3')).toBe(2);
});

it('a node that is removed loses its tasks to others at once', async () => {
  const sim = await withService();
  await sim.removeNode('n1');
  await sim.run(1_200);
  expect(runningOn(sim, 'n2', 'n3')).toBe(6);
  const lost = sim.tasks().filter(({ nodeId }) => nodeId === 'n1');
  expect(lost.map(({ status }) => status.state)).toEqual([TaskState.ORPHANED, TaskState.ORPHANED]);
});

describe('a change of leader', () => {
  it('lets no node down that comes within its time', async () => {
    const sim = await withService();
    const before = ids(sim);
    await sim.resign();
    expect(NODES.map((id) => sim.nodeState(id))).toEqual([
      DISCONNECTED,
      DISCONNECTED,
      DISCONNECTED,
    ]);
    for (const id of NODES) sim.agent(id).unplug();
    sim.lead();
    await sim.run(100);
    expect(NODES.map((id) => sim.nodeState(id))).toEqual([UNKNOWN, UNKNOWN, UNKNOWN]);
    await sim.run(3_500);
    for (const id of NODES) sim.agent(id).plug();
    await sim.run(2_000);
    expect(NODES.map((id) => sim.nodeState(id))).toEqual([READY, READY, READY]);
    expect(ids(sim)).toEqual(before);
  });

  it('takes down a node that does not come, and moves its tasks', async () => {
    const sim = await withService();
    sim.agent('n1').kill();
    await sim.resign(false);
    sim.lead();
    await sim.run(9_500);
    expect(sim.nodeState('n1')).toBe(UNKNOWN);
    await sim.run(1_500);
    expect(sim.nodeState('n1')).toBe(DOWN);
    expect(runningOn(sim, 'n2', 'n3')).toBe(6);
  });

  it('leaves a node down that was, and its tasks where they went', async () => {
    const sim = await withService();
    sim.agent('n1').kill();
    await sim.run(6_000);
    await sim.resign();
    sim.lead();
    await sim.run(500);
    expect(sim.nodeState('n1')).toBe(DOWN);
    expect(runningOn(sim, 'n2', 'n3')).toBe(6);
  });
});
