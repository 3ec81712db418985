// A stack of twenty services, deployed from empty by the stock client, until all run.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../scripts/lib.mjs';
import { row } from '../lib/table.mjs';
import { compareThreeNodes, medians } from './engines.mjs';

const SERVICES = 20;
/** All of them compete for the machine's CPU, which a host that is busy takes away unevenly. */
const ROUNDS = 9;
const STACK = 'bench';
const POLL_MS = 20;
const GONE_TIMEOUT_MS = 120_000;
const LABELLED = JSON.stringify({ label: [`com.docker.stack.namespace=${STACK}`] });
const MINE = `filters=${encodeURIComponent(LABELLED)}`;

/** One network, and services of one task each. */
function composeFile(image, count) {
  const service = {
    image,
    command: ['sleep', '1000000'],
    stop_grace_period: '1s',
    networks: ['back'],
  };
  const names = Array.from({ length: count }, (_, index) => `service${index}`);
  const services = Object.fromEntries(names.map((name) => [name, service]));
  return JSON.stringify({ version: '3.8', services, networks: { back: {} } });
}

/** Runs the client as a user would; its standard input is a Compose file. */
function docker(engine, args, input = '') {
  const env = { ...process.env, DOCKER_HOST: `unix://${engine.socketPath}` };
  return new Promise((resolve, reject) => {
    const child = spawn('docker', args, { env, stdio: ['pipe', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(errors))));
    child.stdin.end(input);
  });
}

const listed = (node, what) => node.engine.call('GET', `/v1.41/${what}${MINE}`);

async function measure(swarm, count) {
  const [manager] = swarm.nodes;
  const file = composeFile(await swarm.lab.image(), count);
  const begunMs = performance.now();
  await docker(manager.engine, ['stack', 'deploy', '-c', '-', STACK], file);
  for (;;) {
    const tasks = await listed(manager, 'tasks?');
    if (tasks.filter(({ Status }) => Status.State === 'running').length === count) break;
    await sleep(POLL_MS);
  }
  const tookMs = performance.now() - begunMs;
  await docker(manager.engine, ['stack', 'rm', STACK]);
  const gone = async () => {
    const left = swarm.nodes.map((node) => listed(node, 'containers/json?all=1&'));
    return (await Promise.all([...left, listed(manager, 'networks?')])).flat().length === 0;
  };
  if (!(await until(gone, GONE_TIMEOUT_MS))) throw new Error('containers or networks stay');
  return tookMs;
}

export const stack = {
  name: 'stack',
  title: 'A stack of twenty services on three nodes',
  peer: 'dockerd',
  async run(options) {
    const cases = [SERVICES];
    const times = await compareThreeNodes({ ...options, rounds: ROUNDS, cases, measure });
    return [row('deploy to all running', ...medians(times, SERVICES), { goal: { ratio: 3 } })];
  },
};
