// A service of a thousand tasks without containers is made, and then updated a hundred at a time.
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../scripts/lib.mjs';
import { joinHollow } from '../hollow/fleet.mjs';
import { using } from '../lib/cleanup.mjs';
import { Lab } from '../lib/lab.mjs';
import { median } from '../lib/stats.mjs';
import { Swarm, sleepers } from '../lib/swarm.mjs';
import { row } from '../lib/table.mjs';

const NODES = 50;
const TASKS = 1_000;
const PARALLELISM = 100;
const ROUNDS = 5;
/** The first round is slower than all others: what runs for the first time is interpreted. */
const QUICK_ROUNDS = 3;
const TIMEOUT_MS = 120_000;
const POLL_MS = 50;
/** What an update may take, beside the making of what it replaces: at most twice as long. */
const GOAL = { ratio: 0.5 };

/** How many tasks of the only service run. */
async function running(engine) {
  const [{ ServiceStatus }] = await engine.call('GET', '/services?status=true');
  return ServiceStatus.RunningTasks;
}

/** The fewest that ran while something was done. */
async function fewestRunning(engine, work) {
  const done = work.then(() => true);
  let fewest = TASKS;
  while (!(await Promise.race([done, sleep(POLL_MS, false)]))) {
    fewest = Math.min(fewest, await running(engine));
  }
  return fewest;
}

class Rounds {
  constructor(swarm, fleet) {
    this.swarm = swarm;
    this.fleet = fleet;
    this.started = 0;
    this.round = 0;
  }

  /** Ms until a thousand more tasks have been started by what `work` asks for. */
  async timed(work) {
    const begunMs = performance.now();
    this.started += TASKS;
    await work();
    await this.fleet.reached('started', this.started, TIMEOUT_MS);
    return performance.now() - begunMs;
  }

  spec(order) {
    const [{ name }] = this.swarm.nodes;
    const spec = sleepers('hollow:latest', 'web', TASKS, {
      // The manager's own node has a real engine, which is not what is measured.
      Placement: { Constraints: [`node.hostname!=${name}`] },
      ForceUpdate: this.round++,
    });
    return { ...spec, UpdateConfig: { Parallelism: PARALLELISM, Order: order } };
  }

  async update(id, order) {
    const [{ engine }] = this.swarm.nodes;
    const { Version } = await engine.call('GET', `/services/${id}`);
    const path = `/services/${id}/update?version=${Version.Index}`;
    await engine.call('POST', path, this.spec(order));
  }

  async measure() {
    const [{ engine }] = this.swarm.nodes;
    let id;
    const create = await this.timed(async () => {
      id = await this.swarm.createService(this.spec('stop-first'));
    });
    const figures = { create };
    for (const order of ['stop-first', 'start-first']) {
      // The last of them have been started, and are yet to be heard of.
      await until(async () => (await running(engine)) === TASKS, TIMEOUT_MS);
      const update = this.timed(() => this.update(id, order));
      figures[`${order} least`] = await fewestRunning(engine, update);
      figures[order] = await update;
    }
    await this.swarm.removeService(id);
    // Tasks without containers are not waited for by that; their removal is not the next creation's work.
    const areGone = async () => (await engine.call('GET', '/tasks')).length === 0;
    if (!(await until(areGone, TIMEOUT_MS))) throw new Error('tasks stay');
    return figures;
  }
}

async function measure(lab, rounds) {
  const swarm = await Swarm.form(lab, { engine: 'skepd', prefix: 's', count: 1, managers: 1 });
  const { fleet } = await joinHollow(swarm, NODES, TIMEOUT_MS);
  const work = new Rounds(swarm, fleet);
  const all = [];
  for (let round = 0; round < rounds; round++) all.push(await work.measure());
  return all;
}

export const rollingUpdate = {
  name: 'rolling-update',
  title: `${TASKS} tasks without containers, updated ${PARALLELISM} at a time`,
  peer: 'their creation',
  async run({ quick }) {
    const all = await using(new Lab(), (lab) => measure(lab, quick ? QUICK_ROUNDS : ROUNDS));
    const of = (name) => all.map((figures) => figures[name]);
    const tasks = (value) => `${value} tasks`;
    return ['stop-first', 'start-first'].flatMap((order) => [
      row(`update, ${order}`, median(of(order)), median(of('create')), { goal: GOAL }),
      row(`fewest that ran meanwhile, ${order}`, Math.min(...of(`${order} least`)), undefined, {
        format: tasks,
      }),
    ]);
  },
};
