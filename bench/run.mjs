// npm run bench: this project's daemon beside a real dockerd and a real etcd, on this machine, in this run.
import { spawnSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { fail, output, requireRoot } from '../scripts/lib.mjs';
import { fiftyTasks } from './cluster/fifty-tasks.mjs';
import { leaderLost } from './cluster/leader-lost.mjs';
import { lists } from './cluster/lists.mjs';
import { manyNodes } from './cluster/many-nodes.mjs';
import { rollingUpdate } from './cluster/rolling-update.mjs';
import { stack } from './cluster/stack.mjs';
import { workerLost } from './cluster/worker-lost.mjs';
import { writes } from './cluster/writes.mjs';
import { printTable } from './lib/table.mjs';
import { networkMesh } from './network/mesh.mjs';
import { networkNames } from './network/names.mjs';
import { networkServices } from './network/services.mjs';
import { networkTasks } from './network/tasks.mjs';
import { networkThroughput } from './network/throughput.mjs';
import { oneNode } from './one-node.mjs';
import { scheduler } from './scheduler.mjs';

const PARTS = [
  ...[oneNode, scheduler, fiftyTasks, workerLost, leaderLost, writes, manyNodes],
  ...[lists, rollingUpdate, stack],
  ...[networkTasks, networkThroughput, networkMesh, networkServices, networkNames],
];
const NAMES = PARTS.map(({ name }) => name).join(', ');

const USAGE = `npm run bench -- [--only NAME]... [--quick]

  --only NAME   one part of: ${NAMES} (repeatable)
  --quick       fewer rounds
`;

const hasProgram = (name) => spawnSync('which', [name]).status === 0;

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const unknown = values.only?.find((name) => !PARTS.some((part) => part.name === name));
  if (unknown !== undefined) throw new Error(`there is no part "${unknown}": use ${NAMES}`);
  return values;
}

function printMachine() {
  const model = `${cpus().length} x ${cpus()[0]?.model}`;
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const commit = output('git', ['rev-parse', '--short', 'HEAD']);
  console.log(
    `\nMachine: ${model}, ${memory}, kernel ${release()}, Node ${process.version}, commit ${commit}`,
  );
  console.log('Medians where nothing else is said; a ratio above 1 means that skepd is better.');
}

async function main() {
  const { only, quick, help } = readOptions();
  if (help) return void process.stdout.write(USAGE);
  requireRoot('npm run bench');
  const hasDockerd = hasProgram('dockerd');
  const hasEtcd = hasProgram('etcd');
  if (!hasDockerd || !hasEtcd) console.error('No dockerd, or no etcd: some figures are only ours.');
  const results = [];
  for (const part of PARTS.filter(({ name }) => only === undefined || only.includes(name))) {
    console.error(`${part.title}:`);
    results.push({ part, rows: await part.run({ quick, hasDockerd, hasEtcd }) });
  }
  printMachine();
  for (const { part, rows } of results) {
    console.log(`\n${part.title}\n`);
    printTable(rows, part.peer);
  }
}

try {
  await main();
} catch (error) {
  fail(error);
}
