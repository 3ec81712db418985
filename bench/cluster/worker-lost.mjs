// A worker is lost: until its tasks run elsewhere. Default settings on both sides.
import { setTimeout as sleep } from 'node:timers/promises';
import { sleepers } from '../lib/swarm.mjs';
import { pullEverywhere } from './engines.mjs';
import { loss } from './loss.mjs';

/** Two on each node. */
const TASKS = 6;
const POLL_MS = 20;

async function untilRunning(swarm, id, isThere = () => true) {
  const there = async () => (await swarm.running(id)).filter(isThere).length === TASKS;
  while (!(await there())) await sleep(POLL_MS);
}

async function lose(swarm, fault) {
  const id = await swarm.createService(sleepers(await swarm.lab.image(), 'bench', TASKS));
  await untilRunning(swarm, id);
  const victim = swarm.nodes.at(-1).name;
  const victimId = await swarm.idOf(victim);
  const lostAtMs = await swarm.lab[fault](victim);
  await untilRunning(swarm, id, ({ NodeID }) => NodeID !== victimId);
  const tookMs = performance.now() - lostAtMs;
  await swarm.restore(victim);
  await swarm.removeService(id);
  return tookMs;
}

export const workerLost = loss({
  name: 'worker-lost',
  title: 'A worker of three nodes is lost: until its tasks run elsewhere',
  managers: 1,
  prepare: pullEverywhere,
  measure: lose,
  rounds: { skepd: 7, dockerd: 3 },
  goalMs: 6_000,
});
