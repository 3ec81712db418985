// Tasks on an overlay network: one, and fifty on three nodes, from create to all running.
import { createAndRemove } from '../cluster/create-tasks.mjs';
import { compareSwarms, medians, pullEverywhere } from '../cluster/engines.mjs';
import { sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';

const NETWORK = 'bench';
const MANY = 50;
const ONE_GOAL_MS = 300;

async function prepare(swarm) {
  await pullEverywhere(swarm);
  await swarm.createNetwork(NETWORK);
  await measure(swarm, swarm.nodes.length); // warm-up
}

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
  async run({ quick, hasDockerd }) {
    const count = quick ? 2 : 5;
    const rounds = { skepd: count, dockerd: count };
    const cases = [1, MANY];
    const times = await compareSwarms({ managers: 1, rounds, hasDockerd, prepare, cases, measure });
    return [
      row('create to 1 running', ...medians(times, 1), { goal: { most: ONE_GOAL_MS } }),
      row(`create to ${MANY} running`, ...medians(times, MANY), { goal: { ratio: 2 } }),
    ];
  },
};
