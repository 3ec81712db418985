// Five hundred nodes without containers join one manager, then get ten thousand tasks.
import { setTimeout as sleep } from 'node:timers/promises';
import { joinHollow } from '../hollow/fleet.mjs';
import { using } from '../lib/cleanup.mjs';
import { coresUsed, processIn } from '../lib/cpu.mjs';
import { Lab } from '../lib/lab.mjs';
import { Swarm, sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';

const NODES = 500;
const TASKS = 10_000;
const JOIN_GOAL_MS = 60_000;
const PLACE_GOAL_MS = 5_000;
const TIMEOUT_MS = 300_000;
/** Rest after the joining, then the time the manager is watched for. */
const SETTLE_MS = 5_000;
const REST_MS = 20_000;

async function measure(lab) {
  const swarm = await Swarm.form(lab, { engine: 'skepd', prefix: 's', count: 1, managers: 1 });
  const { fleet, joinedMs } = await joinHollow(swarm, NODES, TIMEOUT_MS);
  console.error(`  ${NODES} nodes joined in ${Math.round(joinedMs)} ms`);
  await sleep(SETTLE_MS);
  const { pid } = await lab.machines.running(swarm.nodes[0].name);
  const restCores = await coresUsed(processIn(pid, 'skepd.js'), REST_MS);
  console.error(`  the manager at rest: ${restCores.toFixed(3)} cores`);
  // The manager's own node has a real engine, which is not what is measured.
  const onHollow = { Placement: { Constraints: [`node.hostname!=${swarm.nodes[0].name}`] } };
  const begunMs = performance.now();
  await swarm.createService(sleepers('hollow:latest', 'many', TASKS, onHollow));
  await fleet.reached('assigned', TASKS, TIMEOUT_MS);
  const assignedMs = performance.now() - begunMs;
  await fleet.reached('started', TASKS, TIMEOUT_MS);
  return { joinedMs, restCores, assignedMs, startedMs: performance.now() - begunMs };
}

export const manyNodes = {
  name: 'many-nodes',
  title: `${NODES} nodes without containers on one manager`,
  peer: '-',
  async run() {
    const figures = await using(new Lab(), measure);
    const cores = (value) => `${value.toFixed(2)} cores`;
    return [
      row('all joined and ready', figures.joinedMs, undefined, { goal: { most: JOIN_GOAL_MS } }),
      row('the manager at rest', figures.restCores, undefined, {
        format: cores,
        goal: { most: 1 },
      }),
      row(`${TASKS} tasks: created to all at their nodes`, figures.assignedMs, undefined, {
        goal: { most: PLACE_GOAL_MS },
      }),
      row(`${TASKS} tasks: created to all running`, figures.startedMs, undefined),
    ];
  },
};
