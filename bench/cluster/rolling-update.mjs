// A service of a thousand tasks without containers is made, a hundred at a time and all at once, and then
// updated a hundred at a time.
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
/** What an update may take, beside the making of as many in the same steps: at most twice as long. */
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

  /** Ms until so many more tasks have been started by what `work` asks for. */
  async timed(count, work) {
    const begunMs = performance.now();
    this.started += count;
    await work();
    await this.fleet.reached('started', this.started, TIMEOUT_MS);
    return performance.now() - begunMs;
  }

  spec(order, replicas = TASKS) {
    const [{ name }] = this.swarm.nodes;
    const spec = sleepers('hollow:latest', 'web', replicas, {
      // The manager's own node has a real engine, which is not what is measured.
      Placement: { Constraints: [`node.hostname!=${name}`] },
      ForceUpdate: this.round++,
    });
    return { ...spec, UpdateConfig: { Parallelism: PARALLELISM, Order: order } };
  }

  async update(id, spec) {
    const [{ engine }] = this.swarm.nodes;
    const { Version } = await engine.call('GET', `/services/${id}`);
    const path = `/services/${id}/update?version=${Version.Index}`;
    await engine.call('POST', path, spec);
  }

  /** Ms for a thousand tasks, of which the next hundred are asked for when the ones before have started. */
  async createdInSteps() {
    const spec = this.spec('stop-first', PARALLELISM);
    let id;
    let sumMs = await this.timed(PARALLELISM, async () => {
      id = await this.swarm.createService(spec);
    });
    for (let replicas = 2 * PARALLELISM; replicas <= TASKS; replicas += PARALLELISM) {
      const larger = { ...spec, Mode: { Replicated: { Replicas: replicas } } };
      sumMs += await this.timed(PARALLELISM, () => this.update(id, larger));
    }
    await this.remove(id);
    return sumMs;
  }

  async remove(id) {
    await this.swarm.removeService(id);
    // Tasks without containers are not waited for by that; their removal is not the next creation's work.
    const [{ engine }] = this.swarm.nodes;
    const areGone = async () => (await engine.call('GET', '/tasks')).length === 0;
    if (!(await until(areGone, TIMEOUT_MS))) throw new Error('tasks stay');
  }

  async measure() {
    const [{ engine }] = this.swarm.nodes;
    const figures = { steps: await this.createdInSteps() };
    let id;
    figures.create = await this.timed(TASKS, async () => {
      id = await this.swarm.createService(this.spec('stop-first'));
    });
    for (const order of ['stop-first', 'start-first']) {
      // The last of them have been started, and are yet to be heard of.
      await until(async () => (await running(engine)) === TASKS, TIMEOUT_MS);
      const update = this.timed(TASKS, () => this.update(id, this.spec(order)));
      figures[`${order} least`] = await fewestRunning(engine, update);
      figures[order] = await update;
    }
    await this.remove(id);
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
    const [steps, create] = [median(of('steps')), median(of('create'))];
    return ['stop-first', 'start-first'].flatMap((order) => [
      row(`update, ${order}; created ${PARALLELISM} at a time`, median(of(order)), steps, {
        goal: GOAL,
      }),
      row(`update, ${order}; created all at once`, median(of(order)), create),
      row(`fewest that ran meanwhile, ${order}`, Math.min(...of(`${order} least`)), undefined, {
        format: tasks,
      }),
    ]);
  },
};
