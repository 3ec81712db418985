// The leader of three managers is lost: until the next write is acknowledged.
import { setTimeout as sleep } from 'node:timers/promises';
import { loss } from './loss.mjs';

const WRITE_BYTES = 256;
/** A new write is sent this often, whatever became of those before. */
const WRITE_EVERY_MS = 50;
const GIVE_UP_MS = 120_000;

let written = 0;

/** One write; every one has a name of its own. */
function write({ engine }) {
  const Data = Buffer.alloc(WRITE_BYTES, 120).toString('base64');
  const Name = `write-${process.pid}-${written++}`;
  return engine.call('POST', '/v1.41/configs/create', { Name, Labels: {}, Data });
}

/** When the first of a stream of writes, through the managers in turn, is acknowledged. */
async function untilAcknowledged(managers) {
  const begunMs = performance.now();
  let acknowledgedMs;
  const acknowledged = () => {
    acknowledgedMs ??= performance.now();
  };
  for (let turn = 0; acknowledgedMs === undefined; turn++) {
    if (performance.now() - begunMs > GIVE_UP_MS) throw new Error('no write is acknowledged');
    write(managers[turn % managers.length]).then(acknowledged, () => {});
    await sleep(WRITE_EVERY_MS);
  }
  return acknowledgedMs;
}

async function lose(swarm, fault) {
  const leader = await swarm.leader();
  const others = swarm.nodes.filter((node) => node !== leader);
  const lostAtMs = await swarm.lab[fault](leader.name);
  const tookMs = (await untilAcknowledged(others)) - lostAtMs;
  await swarm.restore(leader.name);
  return tookMs;
}

export const leaderLost = loss({
  name: 'leader-lost',
  title: 'The leader of three managers is lost: until the next acknowledged write',
  managers: 3,
  measure: lose,
  rounds: { skepd: 20, dockerd: 3 },
  goalMs: 2_000,
});
