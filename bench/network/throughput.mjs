// One TCP stream between containers on two machines: over an overlay network, and over a VXLAN that
// is built by hand between the same two namespaces.
import { setTimeout as sleep } from 'node:timers/promises';
import { pullEverywhere } from '../cluster/engines.mjs';
import { using } from '../lib/cleanup.mjs';
import { Lab } from '../lib/lab.mjs';
import { median } from '../lib/stats.mjs';
import { Swarm, sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';
import { runIn, Sandbox } from './sandbox.mjs';

const NETWORK = 'bench';
const STREAM = `${process.execPath} ${new URL('./stream.mjs', import.meta.url).pathname}`;
const READ_MS = 2_000;
const GOAL_RATIO = 0.95;

/** A bridge and a tunnel in a namespace of their own, and a cable into the container. */
async function buildByHand({ lab, sandbox, address, own, peer }) {
  const inMachine = await lab.enter(sandbox.machine);
  runIn(
    inMachine,
    `ip netns add hand
     ip link add hand0 type vxlan id 99 dstport 4790 local ${own} remote ${peer}
     ip link set hand0 netns hand
     ip -n hand link add br0 type bridge
     ip -n hand link set hand0 master br0 mtu 1450 up
     ip -n hand link add cable0 type veth peer name cable1
     ip -n hand link set cable0 master br0 mtu 1450 up
     ip -n hand link set br0 up
     ip -n hand link set cable1 netns ${sandbox.namespace}`,
  );
  sandbox.shell(`ip addr add ${address}/24 dev cable1; ip link set cable1 mtu 1450 up`);
}

async function measure(lab, rounds) {
  const swarm = await Swarm.form(lab, { engine: 'skepd', prefix: 't', count: 2, managers: 1 });
  await pullEverywhere(swarm);
  await swarm.createNetwork(NETWORK);
  const more = { Networks: [{ Target: NETWORK }], Placement: { MaxReplicas: 1 } };
  const spec = sleepers(await lab.image(), 'ends', 2, more);
  const id = await swarm.createService(spec);
  while ((await swarm.running(id)).length < 2) await sleep(50);
  const [near, far] = await Sandbox.of(swarm, id, NETWORK);
  const [first, second] = swarm.nodes.map(({ address }) => address);
  await buildByHand({ lab, sandbox: near, address: '10.99.0.1', own: first, peer: second });
  await buildByHand({ lab, sandbox: far, address: '10.99.0.2', own: second, peer: first });
  far.start('sh', '-c', `exec ${STREAM} serve`);
  await sleep(1_000);
  const rates = { overlay: [], hand: [] };
  const ways = { overlay: far.address, hand: '10.99.0.2' };
  for (let round = 0; round < rounds; round++) {
    for (const [way, address] of Object.entries(ways)) {
      const bytes = Number(near.shell(`${STREAM} read ${address} ${READ_MS}`));
      rates[way].push(bytes);
      console.error(`  ${way}: ${format(bytes)}`);
    }
  }
  return rates;
}

const format = (bytes) => `${((bytes * 8) / 1e9).toFixed(1)} Gbit/s`;

export const networkThroughput = {
  name: 'network-throughput',
  title: 'A stream between containers on two machines',
  peer: 'VXLAN by hand',
  async run({ quick }) {
    const rates = await using(new Lab(), (lab) => measure(lab, quick ? 3 : 7));
    const figures = [median(rates.overlay), median(rates.hand)];
    const goal = { ratio: GOAL_RATIO };
    return [row('one TCP stream', ...figures, { format, better: 'more', goal })];
  },
};
