import { equals } from '@bufbuild/protobuf';
import type { Change } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import {
  AssignmentsMessage_Type,
  NodeStatus_State,
  ServiceSchema,
  TaskSchema,
  TaskState,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';
import { expect, it } from 'vitest';
import { isLive } from '../orchestrator/slot.js';
import { replicatedSpec } from '../orchestrator/specs.sim.js';
import { SimLeader } from './leader.sim.js';
import { updateStatusOf } from './objects.sim.js';

/** What must hold for running tasks when the leader changes, clause by clause (wire-raft.md 6.2). */

const NODES = ['n1', 'n2', 'n3'];
/** Longer than any grace, delay and retry after a change of leader. */
const QUIET_MS = 70_000;

async function cluster(): Promise<SimLeader> {
  const sim = await SimLeader.of(...NODES);
  const spec = replicatedSpec({ replicas: 4 });
  const endpoint = { $typeName: 'docker.swarmkit.v1.EndpointSpec', mode: 0 } as const;
  const port = { $typeName: 'docker.swarmkit.v1.PortConfig', name: '', protocol: 0 } as const;
  const ports = [{ ...port, targetPort: 80, publishedPort: 0, publishMode: 0 }];
  await sim.addService('s1', { ...spec, endpoint: { ...endpoint, ports } });
  await sim.run(3_000);
  expect([...sim.containers().values()].flat()).toHaveLength(4);
  return sim;
}

/** All changes of the store from now on. */
function record(sim: SimLeader): Change[] {
  const changes: Change[] = [];
  sim.store.subscribe((commit) => void changes.push(...commit.changes));
  return changes;
}

async function changeLeader(sim: SimLeader, clean = true): Promise<void> {
  await sim.resign(clean);
  sim.lead();
  await sim.run(3_000);
}

const byId = (tasks: readonly TaskObject[]) => new Map(tasks.map((task) => [task.id, task]));

it.each([true, false])('nothing is written but the states of nodes (clean: %s)', async (clean) => {
  const sim = await cluster();
  const changes = record(sim);
  await changeLeader(sim, clean);
  await sim.run(QUIET_MS);
  expect(new Set(changes.map(({ table, kind }) => `${kind} ${table}`))).toEqual(
    new Set(['update node']),
  );
  expect(changes.length).toBeLessThanOrEqual(3 * NODES.length);
  const entries = sim.proposer.entries.length;
  await sim.run(QUIET_MS);
  expect(sim.proposer.entries.length).toBe(entries);
});

it('sessions are accepted at once, and no node that comes in time is given up', async () => {
  const sim = await cluster();
  await changeLeader(sim);
  const states = NODES.map((id) => sim.nodeState(id));
  expect(new Set(states)).toEqual(new Set([NodeStatus_State.READY]));
});

it('the first assignments list every task from ASSIGNED on, whatever is desired of it', async () => {
  const sim = await cluster();
  const [stopped, held] = sim.tasks();
  await sim.resign();
  await sim.store.update((tx) => {
    tx.update('task', { ...stopped!, desiredState: TaskState.SHUTDOWN });
    const status = { ...held!.status, state: TaskState.FAILED };
    tx.update('task', { ...held!, desiredState: TaskState.SHUTDOWN, status });
  });
  const before = NODES.map((id) => sim.agent(id).assigned.length);
  const expected = NODES.map((id) => [...sim.store.view.tasksOfNode(id)].map((task) => task.id));
  sim.lead();
  await sim.run(1_000);
  NODES.forEach((id, at) => {
    const first = sim.agent(id).assigned[before[at]!]!;
    expect(first).toMatchObject({
      type: AssignmentsMessage_Type.COMPLETE,
      appliesTo: '',
      resultsIn: '1',
    });
    const listed = first.changes.flatMap(({ assignment }) =>
      assignment?.item.case === 'task' ? [assignment.item.value.id] : [],
    );
    expect(listed).toEqual(expect.arrayContaining(expected[at]!));
  });
});

it('tasks stay as they are, byte for byte, addresses and endpoints among it', async () => {
  const sim = await cluster();
  const before = byId(sim.tasks());
  const service = sim.store.view.get('service', 's1')!;
  const attachments = NODES.map((id) => sim.store.view.get('node', id)!.attachments);
  expect(service.endpoint?.ports[0]?.publishedPort).toBeGreaterThan(0);
  expect([...before.values()][0]?.networks[0]?.addresses).toHaveLength(1);
  await changeLeader(sim);
  for (const task of sim.tasks()) {
    expect(equals(TaskSchema, task, before.get(task.id)!)).toBe(true);
  }
  expect(equals(ServiceSchema, sim.store.view.get('service', 's1')!, service)).toBe(true);
  expect(NODES.map((id) => sim.store.view.get('node', id)!.attachments)).toEqual(attachments);
});

it('a new spec version that asks for the same restarts nothing', async () => {
  const sim = await cluster();
  const before = new Set(sim.tasks().map(({ id }) => id));
  await sim.resign();
  await sim.changeService('s1', ({ specVersion }) => ({
    specVersion: { ...specVersion!, index: specVersion!.index + 5n },
  }));
  sim.lead();
  await sim.run(QUIET_MS);
  expect(new Set(sim.tasks().map(({ id }) => id))).toEqual(before);
});

it.each([UpdateState.PAUSED, UpdateState.ROLLBACK_PAUSED])(
  'an update that is paused (%i) stays so, dirty as its tasks may be',
  async (state) => {
    const sim = await cluster();
    const before = new Set(sim.tasks().map(({ id }) => id));
    await sim.resign();
    await sim.changeService('s1', ({ spec, specVersion }) => ({
      spec: { ...spec, task: replicatedSpec({ replicas: 4, image: 'web:2' }).task! } as typeof spec,
      specVersion: { ...specVersion!, index: specVersion!.index + 5n },
      updateStatus: updateStatusOf(state),
    }));
    sim.lead();
    await sim.run(QUIET_MS);
    expect(new Set(sim.tasks().map(({ id }) => id))).toEqual(before);
    expect(sim.store.view.get('service', 's1')?.updateStatus?.state).toBe(state);
  },
);

it.each([
  [UpdateState.UPDATING, UpdateState.COMPLETED],
  [UpdateState.ROLLBACK_STARTED, UpdateState.ROLLBACK_COMPLETED],
])('an update under way (%i) with nothing left to do is complete (%i)', async (from, to) => {
  const sim = await cluster();
  await sim.resign();
  await sim.changeService('s1', () => ({ updateStatus: updateStatusOf(from) }));
  sim.lead();
  await sim.run(QUIET_MS);
  expect(sim.store.view.get('service', 's1')?.updateStatus?.state).toBe(to);
});

it('states of tasks only go on, and the new leader signs for what it writes', async () => {
  const sim = await cluster();
  const changes = record(sim);
  await changeLeader(sim);
  await sim.changeService('s1', ({ spec }) => {
    return { spec: { ...spec, ...replicatedSpec({ replicas: 6 }) } as typeof spec };
  });
  await sim.run(3_000);
  for (const change of changes) {
    if (change.table !== 'task' || !change.before) continue;
    expect(change.object.status.state).toBeGreaterThanOrEqual(change.before.status.state);
  }
  const running = sim.tasks().filter(isLive);
  expect(new Set(running.map(({ status }) => status.appliedBy))).toEqual(new Set(['m1', 'm2']));
  expect(running.every(({ status }) => status.appliedAt !== undefined)).toBe(true);
});

it('network keys and roots reach the nodes as they were', async () => {
  const sim = await cluster();
  const before = sim.agent('n1').told.at(-1)!;
  expect(before.networkBootstrapKeys).toHaveLength(1);
  const count = sim.agent('n1').told.length;
  await changeLeader(sim);
  const after = sim.agent('n1').told.slice(count);
  expect(after.length).toBeGreaterThan(0);
  for (const message of after) {
    expect(message.networkBootstrapKeys).toEqual(before.networkBootstrapKeys);
    expect(message.RootCA).toEqual(before.RootCA);
    expect(message.managers).toHaveLength(1);
  }
});
