// Fifty tasks on three nodes, from create to all running.
import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../lib/stats.mjs';
import { sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';
import { compareSwarms, pullEverywhere } from './engines.mjs';

const TASKS = 50;
const POLL_MS = 20;

async function createAndRemove(swarm, tasks) {
  const spec = sleepers(await swarm.lab.image(), 'bench', tasks);
  const begunMs = performance.now();
  const id = await swarm.createService(spec);
  while ((await swarm.running(id)).length < tasks) await sleep(POLL_MS);
  const tookMs = performance.now() - begunMs;
  await swarm.removeService(id);
  return tookMs;
}

export const fiftyTasks = {
  name: 'fifty-tasks',
  title: 'Fifty tasks on three nodes',
  peer: 'dockerd',
  async run({ quick, hasDockerd }) {
    const count = quick ? 2 : 5;
    const times = await compareSwarms({
      managers: 1,
      rounds: { skepd: count, dockerd: count },
      hasDockerd,
      prepare: async (swarm) => {
        await pullEverywhere(swarm);
        await createAndRemove(swarm, swarm.nodes.length); // warm-up
      },
      cases: [TASKS],
      measure: createAndRemove,
    });
    const { skepd, dockerd } = times[TASKS];
    const theirs = dockerd && median(dockerd);
    return [row(`create to ${TASKS} running`, median(skepd), theirs, { goal: { ratio: 2 } })];
  },
};
