// A swarm of the machines of `npm start`.
import { until } from '../lib.mjs';

/** Every node is a manager: whichever machine is killed, the other two go on. */
const ROLE = 'Manager';
const LISTEN_ADDRESS = '0.0.0.0:2377';
const READY_TIMEOUT_MS = 60_000;

async function state({ engine }) {
  return (await engine.call('GET', '/info')).Swarm;
}

/** Takes up the swarm the machines are in, or makes one, and has all of them join. */
export async function formSwarm(machines) {
  const states = await Promise.all(machines.map(state));
  const active = machines.filter((_, index) => states[index].LocalNodeState === 'active');
  const [founder] = active.length > 0 ? active : machines;
  if (active.length === 0) {
    const request = { ListenAddr: LISTEN_ADDRESS, AdvertiseAddr: founder.address, Spec: {} };
    await founder.engine.call('POST', '/swarm/init', request);
    console.log(`${founder.name} has begun a swarm`);
  }
  // One after the other: managers change their number one at a time.
  for (const machine of machines.filter((one) => one !== founder && !active.includes(one))) {
    await join(machine, founder);
  }
  await allReady(machines, founder);
}

async function join({ name, address, engine }, founder) {
  const { JoinTokens } = await founder.engine.call('GET', '/swarm');
  await engine.call('POST', '/swarm/join', {
    ListenAddr: LISTEN_ADDRESS,
    AdvertiseAddr: address,
    RemoteAddrs: [`${founder.address}:2377`],
    JoinToken: JoinTokens[ROLE],
  });
  console.log(`${name} has joined as a ${ROLE.toLowerCase()}`);
}

async function allReady(machines, { engine }) {
  const names = machines.map(({ name }) => name);
  const ready = async () => {
    const nodes = await engine.call('GET', '/nodes');
    const up = nodes.filter(({ Status }) => Status.State === 'ready');
    return names.every((name) => up.some(({ Description }) => Description.Hostname === name));
  };
  if (await until(ready, READY_TIMEOUT_MS)) return;
  const nodes = await engine.call('GET', '/nodes');
  const seen = nodes.map(({ Description, Status }) => `${Description.Hostname}: ${Status.State}`);
  throw new Error(`not every node is ready: ${seen.join(', ')}`);
}
