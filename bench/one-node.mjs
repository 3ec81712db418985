// One node: services, their removal, lists and memory.
import { setTimeout as sleep } from 'node:timers/promises';
import { sampleImage } from '../scripts/sample-image.mjs';
import { using } from './lib/cleanup.mjs';
import { Dockerd, Skepd } from './lib/daemons.mjs';
import { startRegistry } from './lib/registry.mjs';
import { median, ms, quantile } from './lib/stats.mjs';
import { sleepers } from './lib/swarm.mjs';
import { row } from './lib/table.mjs';

const SIZES = [1, 10, 50];
const POLL_MS = 5;
const API_CALLS = 200;
const MANY_TASKS = 1_000;
/** Rest before memory is looked at: both give it back for a while after they worked. */
const REST_MS = 30_000;

const filterByService = (id) => `filters=${encodeURIComponent(JSON.stringify({ service: [id] }))}`;
const ONCE = { RestartPolicy: { Condition: 'none' } };

async function create(engine, spec) {
  return (await engine.call('POST', '/v1.41/services/create', spec)).ID;
}

/** Ms from POST /services/create until every task reads running; then until every container is gone. */
async function createAndRemove(engine, image, replicas, whileRunning = () => {}) {
  const begun = performance.now();
  const id = await create(engine, sleepers(image, 'bench', replicas, ONCE));
  for (;;) {
    const tasks = await engine.call('GET', `/v1.41/tasks?${filterByService(id)}`);
    if (tasks.filter(({ Status }) => Status.State === 'running').length === replicas) break;
    await sleep(POLL_MS);
  }
  const created = performance.now() - begun;
  await whileRunning();
  const removing = performance.now();
  await engine.call('DELETE', `/v1.41/services/${id}`);
  const all = `all=1&filters=${encodeURIComponent(JSON.stringify({ label: [`com.docker.swarm.service.id=${id}`] }))}`;
  while ((await engine.call('GET', `/v1.41/containers/json?${all}`)).length > 0)
    await sleep(POLL_MS);
  return { created, removed: performance.now() - removing };
}

/** Latencies of one call, repeated. */
async function latencies(engine, path) {
  const times = [];
  for (let call = 0; call < API_CALLS; call++) {
    const begun = performance.now();
    await engine.call('GET', path);
    times.push(performance.now() - begun);
  }
  return times;
}

async function withManyTasks(engine, image, measure) {
  const never = { ...ONCE, Placement: { Constraints: ['node.labels.nowhere==true'] } };
  const id = await create(engine, sleepers(image, 'many', MANY_TASKS, never));
  while ((await engine.call('GET', `/v1.41/tasks?${filterByService(id)}`)).length < MANY_TASKS) {
    await sleep(100);
  }
  const result = await measure();
  await engine.call('DELETE', `/v1.41/services/${id}`);
  return result;
}

async function measure(daemon, rounds) {
  const result = { created: {}, removed: [], busy: [] };
  await daemon.start();
  const { engine } = daemon;
  const { reference } = await startRegistry(daemon.registryPlace, sampleImage());
  await engine.pull(reference);
  await engine.call('POST', '/v1.41/swarm/init', {
    ListenAddr: '0.0.0.0:2377',
    AdvertiseAddr: '192.0.2.10',
  });
  await createAndRemove(engine, reference, 1); // warm-up
  await sleep(REST_MS);
  result.idle = daemon.memory();
  for (const size of SIZES) {
    result.created[size] = [];
    for (let round = 0; round < rounds; round++) {
      const times = await createAndRemove(engine, reference, size, async () => {
        if (size === SIZES.at(-1) && round === rounds - 1) {
          await sleep(REST_MS);
          result.busy.push(daemon.memory());
        }
      });
      result.created[size].push(times.created);
      if (size === SIZES.at(-1)) result.removed.push(times.removed);
      console.error(
        `  ${daemon.name}: ${size} task(s): ${ms(times.created)}, removed ${ms(times.removed)}`,
      );
    }
  }
  result.api = await withManyTasks(engine, reference, async () => ({
    services: await latencies(engine, '/v1.41/services?status=true'),
    tasks: await latencies(engine, '/v1.41/tasks'),
  }));
  return result;
}

function timeRows(skepd, dockerd) {
  const of = (label, pick) => row(label, pick(skepd), dockerd && pick(dockerd));
  const created = SIZES.map((size) =>
    of(`service create to ${size} running`, (result) => median(result.created[size])),
  );
  const calls = [
    ['service ls', 'services'],
    ['/tasks', 'tasks'],
  ].flatMap(([name, key]) =>
    [0.5, 0.99].map((q) =>
      of(`${name}, ${MANY_TASKS} tasks, p${q * 100}`, ({ api }) => quantile(api[key], q)),
    ),
  );
  return [...created, of(`remove ${SIZES.at(-1)}`, ({ removed }) => median(removed)), ...calls];
}

function memoryRows(skepd, dockerd) {
  const format = (value) => `${Math.round(value)} MiB`;
  const parts = [
    ['the daemon', 'daemon'],
    ['its containerd', 'containerd'],
  ];
  return parts.flatMap(([label, part]) => {
    const busy = (result) => result && median(result.busy.map((sample) => sample[part]));
    return [
      row(`memory of ${label}, idle`, skepd.idle[part], dockerd?.idle[part], { format }),
      row(`memory of ${label}, ${SIZES.at(-1)} tasks`, busy(skepd), busy(dockerd), { format }),
    ];
  });
}

export const oneNode = {
  name: 'one-node',
  title: 'One node',
  peer: 'dockerd',
  async run({ quick, hasDockerd }) {
    const rounds = quick ? 2 : 5;
    const of = (daemon) => using(daemon, () => measure(daemon, rounds));
    const skepd = await of(new Skepd());
    const dockerd = hasDockerd ? await of(new Dockerd()) : undefined;
    return [...timeRows(skepd, dockerd), ...memoryRows(skepd, dockerd)];
  },
};
