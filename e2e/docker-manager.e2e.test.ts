import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { crashes, loadImage } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';
import {
  expectJoined,
  leaveAndRemove,
  losePower,
  promoteAndDemote,
  rotateTwice,
  type Scene,
  SteadyTasks,
} from './support/worker-life.ts';
import { testTasks } from './support/worker-suite.ts';

/** Machines with Docker's engine; there is one manager at first. */
const MANAGERS = ['docker1', 'docker2', 'docker3'] as const;
/** The machine with ours. */
const WORKER = 'skep1';

let machines: TestMachines;
let swarm: TestCluster;
let steady: SteadyTasks;

beforeAll(async () => {
  machines = new TestMachines();
  swarm = new TestCluster(machines, MANAGERS[0]);
  await Promise.all([
    machines.create([MANAGERS[0]], ['--engine', 'dockerd']),
    machines.create([WORKER]),
  ]);
  await loadImage(machines, MANAGERS[0], WORKER);
  await swarm.init();
});
afterAll(() => machines?.cleanUp());

const scene = (): Scene => ({ machines, swarm, worker: WORKER });

describe('our engine', { timeout: 120_000 }, () => {
  it("joins Docker's manager as a worker, and is Ready", async () => {
    expect(await swarm.join(WORKER, 'worker')).toBe('This node joined a swarm as a worker.');
    await expectJoined(scene(), /^Ready Active {2}\d+\.\d+/);
  });

  testTasks(scene);

  it('runs tasks throughout what follows', async () => {
    steady = await SteadyTasks.start(scene(), 3);
  });

  it('has its certificate renewed when Docker makes it a manager in its Raft, and a worker again', async () => {
    await promoteAndDemote(scene(), 'skepd');
    await steady.expectUnharmed();
  });

  it("has its certificate renewed at each rotation of Docker's root", async () => {
    await rotateTwice(scene(), 'skepd');
    await steady.expectUnharmed();
  });
});

describe('its tasks run on, in the same containers', { timeout: 120_000 }, () => {
  it('when the manager restarts', async () => {
    await machines.stop(swarm.manager);
    await machines.start(swarm.manager);
    await steady.expectUnharmed();
  });

  it('when the manager is killed', async () => {
    await machines.kill(swarm.manager);
    await machines.start(swarm.manager);
    await steady.expectUnharmed();
  });

  it('when our daemon is killed', async () => {
    await machines.ssh(WORKER, 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    const answers = ({ code }: { code: number }) => code === 0;
    await until(() => machines.dockerResult(WORKER, ['version']), answers, PATIENCE_MS);
    await steady.expectUnharmed();
  });

  it('when the leader of three managers is killed', async () => {
    const [first, ...others] = MANAGERS;
    await machines.create(others, ['--engine', 'dockerd']);
    for (const name of others) {
      await swarm.join(name, 'manager');
      await swarm.untilNode(name, /Reachable/);
    }
    await machines.kill(first);
    swarm.manager = MANAGERS[1];
    await swarm.leader({ not: first, timeoutMs: PATIENCE_MS });
    await steady.expectUnharmed();
  });
});

describe('our engine that', { timeout: 120_000 }, () => {
  it('loses its power has its tasks elsewhere, and stops them when it is back', async () => {
    await steady.remove();
    await loadImage(machines, ...MANAGERS.slice(1));
    await losePower(scene());
  });

  it('leaves is Down, and can be removed', async () => {
    await leaveAndRemove(scene());
  });

  it('did all this brought no manager down, and met nothing unexpected', () => {
    expect(MANAGERS.flatMap((name) => crashes(machines, name))).toEqual([]);
    const errors = machines
      .log(WORKER)
      .split('\n')
      .filter((line) => line.includes('"level":"error"'));
    expect(errors).toEqual([]);
  });
});
