import { NodeSpec_Availability, TaskState } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { nodeOf, taskOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { Scheduler } from './scheduler.js';

type TaskInit = Parameters<typeof taskOf>[1];

const PENDING = { state: TaskState.PENDING };
const DRAINED = { spec: { annotations: {}, availability: NodeSpec_Availability.DRAIN } };

function pendingTask(id: string, init: TaskInit = {}) {
  return taskOf(id, { serviceId: 's', status: PENDING, ...init } as TaskInit);
}

async function room() {
  const sim = new SimRoom();
  const scheduler = new Scheduler(sim.options);
  scheduler.start();
  await sim.settle();
  return { sim, scheduler };
}

describe('Scheduler', () => {
  it('assigns a task as soon as it is stored', async () => {
    const { sim } = await room();
    await sim.put('node', nodeOf('n1'));
    await sim.put('task', pendingTask('t'));
    const { nodeId, status } = sim.get('task', 't');
    expect(nodeId).toBe('n1');
    expect(status).toMatchObject({
      state: TaskState.ASSIGNED,
      message: 'scheduler assigned task to node',
    });
  });

  it('says why a task waits, and assigns it when a node comes', async () => {
    const { sim } = await room();
    await sim.put('node', nodeOf('n1', DRAINED));
    await sim.put('task', pendingTask('t'));
    const { state, err } = sim.get('task', 't').status;
    expect(state).toBe(TaskState.PENDING);
    expect(err).toBe('no suitable node (1 node not available for new tasks)');
    const entries = sim.proposer.entries.length;
    await sim.put('node', nodeOf('n2', DRAINED), nodeOf('n3'));
    expect(sim.get('task', 't')).toMatchObject({ nodeId: 'n3', status: { err: '' } });
    expect(sim.proposer.entries.length).toBe(entries + 2);
  });

  it('uses room as soon as a task has left it', async () => {
    const { sim } = await room();
    await sim.put('node', nodeOf('n1'));
    const spec = { resources: { reservations: { nanoCpus: 3_000_000_000n } } };
    await sim.put('task', pendingTask('t1', { spec }), pendingTask('t2', { spec }));
    expect(sim.get('task', 't2').status.err).toMatch('insufficient resources on 1 node');
    await sim.change('task', 't1', ({ status }) => ({
      status: { ...status, state: TaskState.FAILED },
    }));
    expect(sim.get('task', 't2').nodeId).toBe('n1');
  });

  it('does not repeat a refusal that is told already', async () => {
    const { sim } = await room();
    await sim.put('task', pendingTask('t1'));
    const entries = sim.proposer.entries.length;
    await sim.put('task', taskOf('other', { serviceId: 'x' }));
    await sim.clock.advance(600_000);
    expect(sim.proposer.entries.length).toBe(entries + 1);
  });

  it('confirms a task made for a node, or says what that node lacks', async () => {
    const { sim } = await room();
    await sim.put('node', nodeOf('n1'), nodeOf('n2', DRAINED));
    await sim.put(
      'task',
      pendingTask('t1', { nodeId: 'n1' }),
      pendingTask('t2', { nodeId: 'n2' }),
      pendingTask('t3', { nodeId: 'n3' }),
    );
    expect(sim.get('task', 't1').status).toMatchObject({
      state: TaskState.ASSIGNED,
      message: 'scheduler confirmed task can run on preassigned node',
    });
    expect(sim.get('task', 't2').status.err).toBe('1 node not available for new tasks');
    expect(sim.get('task', 't3').status.err).toBe('no suitable node');
  });

  it('ends a task that was asked to stop before it had a node', async () => {
    const { sim } = await room();
    await sim.put('task', pendingTask('t1'), pendingTask('t2'));
    await sim.change('task', 't1', () => ({ desiredState: TaskState.SHUTDOWN }));
    expect(sim.get('task', 't1').status.state).toBe(TaskState.SHUTDOWN);
    expect(sim.get('task', 't2').status.state).toBe(TaskState.PENDING);
  });

  it('does not use a node whose draining is under way', async () => {
    const sim = new SimRoom({ automatic: false });
    await Promise.all([
      sim.store.update((tx) => tx.create('node', nodeOf('n1'))),
      sim.store.update((tx) => tx.create('task', pendingTask('t'))),
      sim.settle().then(() => sim.proposer.commit()),
    ]);
    new Scheduler(sim.options).start();
    const node = sim.get('node', 'n1');
    const drained = sim.store.update((tx) =>
      tx.update('node', { ...node, spec: nodeOf('n1', DRAINED).spec }),
    );
    await sim.settle();
    sim.proposer.commit();
    await drained;
    await sim.settle();
    sim.proposer.commit();
    await sim.settle();
    expect(sim.get('task', 't').nodeId).toBe('');
    expect(sim.get('task', 't').status.err).toMatch('not available');
  });

  it('counts what runs when it takes over', async () => {
    const sim = new SimRoom();
    await sim.put('node', nodeOf('n1'), nodeOf('n2'));
    const status = { state: TaskState.RUNNING };
    await sim.put('task', taskOf('old', { serviceId: 's', nodeId: 'n1', status }));
    await sim.put('task', pendingTask('new'));
    new Scheduler(sim.options).start();
    await sim.settle();
    expect(sim.get('task', 'new').nodeId).toBe('n2');
  });

  it('places thousands of tasks in few entries', async () => {
    const { sim } = await room();
    await sim.put('node', ...Array.from({ length: 50 }, (_, at) => nodeOf(`n${at}`)));
    await sim.put('task', ...Array.from({ length: 2_000 }, (_, at) => pendingTask(`t${at}`)));
    const nodes = Array.from({ length: 50 }, (_, at) => sim.store.view.tasksOfNode(`n${at}`));
    expect(nodes.map((tasks) => [...tasks].length)).toEqual(Array(50).fill(40));
    expect(sim.proposer.entries.length).toBe(2 + 2_000 / 200);
  });

  it('starts over when the outcome of its write is lost', async () => {
    const { sim, scheduler } = await room();
    await sim.put('node', nodeOf('n1'));
    sim.proposer.refuse(new Error('no space left on device'));
    await scheduler.stop();
    sim.proposer.refuse(undefined);
    await sim.put('task', pendingTask('t'));
    sim.proposer.refuse(new Error('no space left on device'));
    scheduler.start();
    await sim.settle();
    expect(sim.get('task', 't').nodeId).toBe('');
    sim.proposer.refuse(undefined);
    await sim.clock.advance(100);
    expect(sim.get('task', 't').nodeId).toBe('n1');
  });
});
