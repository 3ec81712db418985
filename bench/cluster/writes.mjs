// Committed writes a second through three managers, beside three members of etcd.
import { using } from '../lib/cleanup.mjs';
import { Etcd } from '../lib/etcd.mjs';
import { httpLoad } from '../lib/http-load.mjs';
import { Lab } from '../lib/lab.mjs';
import { quantile } from '../lib/stats.mjs';
import { Swarm } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';

const CLIENTS = [1, 256];
const VALUE = Buffer.alloc(256, 120).toString('base64');
/** Daemons run for months: what a compiler learns in the first thousands of writes is not measured. */
const WARM_UP_MS = 8_000;
const MEASURE_MS = 6_000;
const GOAL_RATIO = 0.7;

let written = 0;
const nextKey = () => `bench-${written++}`;

/** What a write is to either, in the JSON that it takes. */
const BODIES = {
  skepd: () => `{"Name":"${nextKey()}","Labels":{},"Data":"${VALUE}"}`,
  etcd: () => `{"key":"${Buffer.from(nextKey()).toString('base64')}","value":"${VALUE}"}`,
};

/** Where writes go, by system; asked before each round, since leaders change. */
async function targets(lab, hasEtcd) {
  const swarm = await Swarm.form(lab, { engine: 'skepd', prefix: 's', count: 3, managers: 3 });
  const socket = async () => lab.machines.layout.socket((await swarm.leader()).name);
  const skepd = async () => ({ connect: { path: await socket() }, path: '/v1.41/configs/create' });
  if (!hasEtcd) return { skepd };
  const etcd = await Etcd.form(lab, ['e1', 'e2', 'e3']);
  return { skepd, etcd: () => etcd.target() };
}

async function measure(lab, { rounds, hasEtcd }) {
  const systems = await targets(lab, hasEtcd);
  const results = [];
  for (const clients of CLIENTS) {
    const rates = { skepd: [], etcd: [] };
    const latencies = { skepd: [], etcd: [] };
    for (let round = 0; round < rounds; round++) {
      for (const [name, target] of Object.entries(systems)) {
        const load = { clients, warmUpMs: WARM_UP_MS, measureMs: MEASURE_MS };
        const result = await httpLoad({ ...load, target: await target(), nextBody: BODIES[name] });
        rates[name].push(result.perSecond);
        latencies[name].push(...result.latencies);
        console.error(`  ${name}, ${clients} clients: ${Math.round(result.perSecond)} writes/s`);
      }
    }
    results.push({ clients, rates, latencies });
  }
  return results;
}

export const writes = {
  name: 'writes',
  title: 'Committed writes of 256 bytes through three managers',
  peer: 'etcd',
  async run({ quick, hasEtcd }) {
    const rounds = quick ? 1 : 3;
    const results = await using(new Lab(), (lab) => measure(lab, { rounds, hasEtcd }));
    return results.flatMap(({ clients, rates, latencies }) => {
      const label = clients === 1 ? '1 client' : `${clients} clients`;
      const of = (values, q) => [values.skepd, values.etcd].map((some) => quantile(some, q));
      const format = (value) => `${Math.round(value)}/s`;
      return [
        row(label, ...of(rates, 0.5), { format, better: 'more', goal: { ratio: GOAL_RATIO } }),
        row(`${label}, p50`, ...of(latencies, 0.5)),
        row(`${label}, p99`, ...of(latencies, 0.99)),
      ];
    });
  },
};
