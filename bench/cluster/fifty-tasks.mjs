// Fifty tasks on three nodes, from create to all running.
import { median } from '../lib/stats.mjs';
import { sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';
import { createAndRemove } from './create-tasks.mjs';
import { compareSwarms, pullEverywhere } from './engines.mjs';

const TASKS = 50;

async function measure(swarm, tasks) {
  return createAndRemove(swarm, sleepers(await swarm.lab.image(), 'bench', tasks));
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
        await measure(swarm, swarm.nodes.length); // warm-up
      },
      cases: [TASKS],
      measure,
    });
    const { skepd, dockerd } = times[TASKS];
    const theirs = dockerd && median(dockerd);
    return [row(`create to ${TASKS} running`, median(skepd), theirs, { goal: { ratio: 2 } })];
  },
};
