// The scheduler alone, over a store whose log is an array: no disk, no network, no other loop.
import { create } from '@bufbuild/protobuf';
import { Scheduler } from '@skep/manager';
import { RealClock, RealRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { completeObject } from '@skep/wire';
import { NodeSchema, TaskSchema } from '@skep/wire/swarmkit';
import { median } from './lib/stats.mjs';
import { row } from './lib/table.mjs';

const NODES = 1_000;
const TASKS = 100_000;
const GOAL_MS = 2_300;
const ROUNDS = 5;
const ROUNDS_QUICK = 2;
/** What one transaction of the set-up creates. */
const CREATED_AT_ONCE = 1_000;
/** NodeStatus.State READY, TaskState PENDING, ASSIGNED and RUNNING. */
const READY = 2;
const PENDING = 64;
const ASSIGNED = 192;
const RUNNING = 512;

function makeNode(index) {
  const resources = { nanoCpus: 64_000_000_000n, memoryBytes: 2n ** 40n };
  const node = create(NodeSchema, {
    id: `node-${index}`,
    status: { state: READY },
    description: { hostname: `node-${index}`, resources },
  });
  return completeObject('node', node);
}

function makeTask(index, serviceId) {
  const reservations = { nanoCpus: 1_000_000n, memoryBytes: 1_048_576n };
  const task = create(TaskSchema, {
    id: `task-${index}`,
    serviceId,
    specVersion: serviceId ? { index: 1n } : undefined,
    status: { state: PENDING },
    desiredState: RUNNING,
    spec: { resources: { reservations } },
  });
  return completeObject('task', task);
}

async function fill(store, table, count, make) {
  for (let at = 0; at < count; at += CREATED_AT_ONCE) {
    await store.update((tx) => {
      const end = Math.min(count, at + CREATED_AT_ONCE);
      for (let index = at; index < end; index++) tx.create(table, make(index));
    });
  }
}

/** Ms from the scheduler's start to the commit of the last assignment. */
async function assignAll(serviceOf) {
  const options = { clock: new RealClock(), random: new RealRandom(), log: silentLogger };
  const store = new Store(options);
  store.attach(new SimProposer(store));
  await fill(store, 'node', NODES, makeNode);
  await fill(store, 'task', TASKS, (index) => makeTask(index, serviceOf(index)));
  let assigned = 0;
  const scheduler = new Scheduler({ ...options, store });
  const begunMs = performance.now();
  await new Promise((resolve) => {
    store.subscribe(({ changes }) => {
      for (const { object } of changes) if (object.status.state === ASSIGNED) assigned++;
      if (assigned === TASKS) resolve();
    });
    scheduler.start();
  });
  const tookMs = performance.now() - begunMs;
  await scheduler.stop();
  return tookMs;
}

async function rounds(count, serviceOf) {
  const timesMs = [];
  for (let round = 0; round < count; round++) timesMs.push(await assignAll(serviceOf));
  return median(timesMs);
}

/** [label, the service of the task with this index]; '' for a task without one. */
const MIXES = [
  ['services of 1,000', (index) => `service-${Math.floor(index / 1_000)}`],
  ['services of 10', (index) => `service-${Math.floor(index / 10)}`],
  ['each by itself, as in SwarmKit’s own benchmark', () => ''],
];

export const scheduler = {
  name: 'scheduler',
  title: `The scheduler alone: ${TASKS} tasks on ${NODES} nodes`,
  peer: '-',
  async run({ quick }) {
    const rows = [];
    for (const [label, serviceOf] of MIXES) {
      const tookMs = await rounds(quick ? ROUNDS_QUICK : ROUNDS, serviceOf);
      rows.push(row(label, tookMs, undefined, { goal: { most: GOAL_MS } }));
    }
    return rows;
  },
};
