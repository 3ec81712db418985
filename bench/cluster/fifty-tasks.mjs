// One task and fifty on three nodes, from create to all running.
import { sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';
import { createAndRemove } from './create-tasks.mjs';
import { compareThreeNodes, medians } from './engines.mjs';

const MANY = 50;
const ONE_GOAL_MS = 200;

async function measure(swarm, tasks) {
  return createAndRemove(swarm, sleepers(await swarm.lab.image(), 'bench', tasks));
}

export const fiftyTasks = {
  name: 'fifty-tasks',
  title: 'Tasks on three nodes',
  peer: 'dockerd',
  async run(options) {
    const times = await compareThreeNodes({ ...options, cases: [1, MANY], measure });
    return [
      row('create to 1 running', ...medians(times, 1), { goal: { most: ONE_GOAL_MS } }),
      row(`create to ${MANY} running`, ...medians(times, MANY), { goal: { ratio: 2 } }),
    ];
  },
};
