// What lists cost a manager that holds thirty thousand tasks.
import { until } from '../../scripts/lib.mjs';
import { using } from '../lib/cleanup.mjs';
import { Lab } from '../lib/lab.mjs';
import { median, quantile } from '../lib/stats.mjs';
import { filters, Swarm, sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';

const SERVICES = 30;
const SERVICE_TASKS = 1_000;
const TASKS = SERVICES * SERVICE_TASKS;
const CALLS = 400;
const CALLS_QUICK = 100;
/** A tenth of what Docker published for 30,000 containers in 2015. */
const GOAL_MS = 36;
const TIMEOUT_MS = 120_000;
/** No node is so: tasks wait, with the reason in their status, and no agent takes part. */
const NOWHERE = { Placement: { Constraints: ['node.labels.bench==none'] } };

/** Ms that each call took, one after the other; the first tenth warms up and is left out. */
async function timed(engine, path, calls) {
  const timesMs = [];
  for (let call = 0; call < calls; call++) {
    const begunMs = performance.now();
    await engine.call('GET', path);
    timesMs.push(performance.now() - begunMs);
  }
  return timesMs.slice(calls / 10);
}

/** Makes the services; resolves with the id of one when all of its tasks wait. */
async function fill(swarm) {
  const [{ engine }] = swarm.nodes;
  let id;
  for (let service = 0; service < SERVICES; service++) {
    const spec = sleepers('bench:latest', `many${service}`, SERVICE_TASKS, NOWHERE);
    id = await swarm.createService(spec);
  }
  const allWait = async () => {
    const tasks = await engine.call('GET', `/tasks?${filters({ service: [id] })}`);
    return tasks.filter(({ Status }) => Status.Err).length === SERVICE_TASKS;
  };
  if (!(await until(allWait, TIMEOUT_MS))) throw new Error('not all tasks are there');
  return id;
}

async function measure(lab, calls) {
  const swarm = await Swarm.form(lab, { engine: 'skepd', prefix: 's', count: 1, managers: 1 });
  const id = await fill(swarm);
  const { engine } = swarm.nodes[0];
  return {
    services: await timed(engine, '/services?status=true', calls),
    tasks: await timed(engine, `/tasks?${filters({ service: [id] })}`, calls),
    info: await timed(engine, '/info', calls),
    all: await timed(engine, '/tasks', calls / 20),
  };
}

export const lists = {
  name: 'lists',
  title: `Lists of a manager with ${TASKS} tasks of ${SERVICES} services`,
  peer: '-',
  async run({ quick }) {
    const figures = await using(new Lab(), (lab) => measure(lab, quick ? CALLS_QUICK : CALLS));
    const goal = { goal: { most: GOAL_MS } };
    const last = (timesMs) => quantile(timesMs, 0.99);
    return [
      row('service ls, p50', median(figures.services)),
      row('service ls, p99', last(figures.services), undefined, goal),
      row(`service ps (${SERVICE_TASKS} tasks), p99`, last(figures.tasks)),
      row('info, p99', last(figures.info), undefined, goal),
      row(`all ${TASKS} tasks`, median(figures.all)),
    ];
  },
};
