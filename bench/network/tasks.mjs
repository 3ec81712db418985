// Tasks on an overlay network: one, and fifty on three nodes, from create to all running.
import { createAndRemove } from '../cluster/create-tasks.mjs';
import { compareThreeNodes, medians } from '../cluster/engines.mjs';
import { sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';

const NETWORK = 'bench';
const MANY = 50;
const ONE_GOAL_MS = 300;

const prepare = (swarm) => swarm.createNetwork(NETWORK);

async function measure(swarm, tasks) {
  const image = await swarm.lab.image();
  const spec = sleepers(image, 'bench', tasks, { Networks: [{ Target: NETWORK }] });
  // As services are by default: each has an address of its own.
  return createAndRemove(swarm, { ...spec, EndpointSpec: { Mode: 'vip' } });
}

export const networkTasks = {
  name: 'network-tasks',
  title: 'Tasks on an overlay network of three nodes',
  peer: 'dockerd',
  async run(options) {
    const times = await compareThreeNodes({ ...options, prepare, cases: [1, MANY], measure });
    return [
      row('create to 1 running', ...medians(times, 1), { goal: { most: ONE_GOAL_MS } }),
      row(`create to ${MANY} running`, ...medians(times, MANY), { goal: { ratio: 2 } }),
    ];
  },
};
