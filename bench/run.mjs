// npm run bench: this project's daemon beside a real dockerd, on this machine, in this run.
import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { output, run } from '../scripts/lib.mjs';
import { sampleImage } from '../scripts/sample-image.mjs';
import { Dockerd, Skepd } from './lib/daemons.mjs';
import { startRegistry } from './lib/registry.mjs';
import { median, ms, quantile } from './lib/stats.mjs';

const RUNS = Number(process.env.BENCH_RUNS ?? 5);
const SIZES = [1, 10, 50];
const POLL_MS = 5;
const API_CALLS = 200;
const MANY_TASKS = 1_000;
/** Rest before a daemon counts as idle: both give memory back for a while after they worked. */
const IDLE_REST_MS = 5_000;

const filterByService = (id) => `filters=${encodeURIComponent(JSON.stringify({ service: [id] }))}`;

function spec(image, name, replicas, more = {}) {
  return {
    Name: name,
    TaskTemplate: {
      ContainerSpec: { Image: image, Command: ['sleep', '1000000'], StopGracePeriod: 1 },
      RestartPolicy: { Condition: 'none' },
      ...more,
    },
    Mode: { Replicated: { Replicas: replicas } },
    EndpointSpec: { Mode: 'dnsrr' },
  };
}

/** Ms from POST /services/create until every task reads running; then until every container is gone. */
async function createAndRemove(engine, image, replicas, whileRunning = () => {}) {
  const begun = performance.now();
  const { ID } = await engine.call(
    'POST',
    '/v1.41/services/create',
    spec(image, 'bench', replicas),
  );
  for (;;) {
    const tasks = await engine.call('GET', `/v1.41/tasks?${filterByService(ID)}`);
    if (tasks.filter(({ Status }) => Status.State === 'running').length === replicas) break;
    await sleep(POLL_MS);
  }
  const created = performance.now() - begun;
  whileRunning();
  const removing = performance.now();
  await engine.call('DELETE', `/v1.41/services/${ID}`);
  const all = `all=1&filters=${encodeURIComponent(JSON.stringify({ label: [`com.docker.swarm.service.id=${ID}`] }))}`;
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
  const never = { Placement: { Constraints: ['node.labels.nowhere==true'] } };
  const { ID } = await engine.call(
    'POST',
    '/v1.41/services/create',
    spec(image, 'many', MANY_TASKS, never),
  );
  while ((await engine.call('GET', `/v1.41/tasks?${filterByService(ID)}`)).length < MANY_TASKS) {
    await sleep(100);
  }
  const result = await measure();
  await engine.call('DELETE', `/v1.41/services/${ID}`);
  return result;
}

/** Cleans up before an interrupted run ends. */
function onInterrupt(daemon) {
  const stop = () => daemon.remove().finally(() => process.exit(130));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  return () => process.off('SIGINT', stop).off('SIGTERM', stop);
}

async function measure(daemon) {
  const forget = onInterrupt(daemon);
  const result = { created: {}, removed: [], busy: [] };
  try {
    await daemon.start();
    const { engine } = daemon;
    const { reference } = await startRegistry(daemon, sampleImage());
    await engine.pull(reference);
    await engine.call('POST', '/v1.41/swarm/init', {
      ListenAddr: '0.0.0.0:2377',
      AdvertiseAddr: '192.0.2.10',
    });
    await createAndRemove(engine, reference, 1); // warm-up
    await sleep(IDLE_REST_MS);
    result.idle = daemon.memory();
    for (const size of SIZES) {
      result.created[size] = [];
      for (let round = 0; round < RUNS; round++) {
        const times = await createAndRemove(engine, reference, size, () => {
          if (size === SIZES.at(-1)) result.busy.push(daemon.memory());
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
  } finally {
    forget();
    await daemon.remove();
  }
  return result;
}

function row(label, ours, theirs, format = ms) {
  const ratio = theirs === undefined ? '' : `${(theirs / ours).toFixed(1)}x`;
  console.log(
    `| ${label} | ${format(ours)} | ${theirs === undefined ? '-' : format(theirs)} | ${ratio} |`,
  );
}

function report(skepd, dockerd) {
  console.log(
    `\nMachine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, kernel ${release()}, Node ${process.version}, commit ${output('git', ['rev-parse', '--short', 'HEAD'])}`,
  );
  console.log(`Medians of ${RUNS} runs, ${API_CALLS} API calls; the ratio is dockerd / skepd.\n`);
  console.log('| measure | skepd | dockerd | ratio |\n| --- | --- | --- | --- |');
  for (const size of SIZES) {
    const label = `service create to ${size} running`;
    row(label, median(skepd.created[size]), dockerd && median(dockerd.created[size]));
  }
  row(`remove ${SIZES.at(-1)}`, median(skepd.removed), dockerd && median(dockerd.removed));
  for (const [name, key] of [
    ['service ls', 'services'],
    ['/tasks', 'tasks'],
  ]) {
    for (const q of [0.5, 0.99]) {
      const label = `${name}, ${MANY_TASKS} tasks, p${q * 100}`;
      row(label, quantile(skepd.api[key], q), dockerd && quantile(dockerd.api[key], q));
    }
  }
  const mib = (value) => `${Math.round(value)} MiB`;
  for (const [label, part] of [
    ['the daemon', 'daemon'],
    ['its containerd', 'containerd'],
  ]) {
    const busy = (result) => result && median(result.busy.map((sample) => sample[part]));
    row(`memory of ${label}, idle`, skepd.idle[part], dockerd?.idle[part], mib);
    row(`memory of ${label}, ${SIZES.at(-1)} tasks`, busy(skepd), busy(dockerd), mib);
  }
  console.log(
    '\nParts by themselves: bench/scheduler.mjs, raft-log.mjs, network-sandbox.mjs; findings: bench/README.md.',
  );
}

if (process.getuid() !== 0) {
  console.error('The benchmarks start containers: run them as root.');
  process.exit(1);
}
run('npm', ['run', '--silent', 'setup']);
const hasDockerd = spawnSync('which', ['dockerd']).status === 0;
if (!hasDockerd) console.error('No dockerd here: only our own figures.');
const skepd = await measure(new Skepd());
const dockerd = hasDockerd ? await measure(new Dockerd()) : undefined;
report(skepd, dockerd);
