import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { complaints, crashes, dockerdPid, loadImage, shell } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';
import { IMAGE } from './support/sample.ts';
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

const MANAGERS = ['mgr1', 'mgr2', 'mgr3'] as const;
/** The machine with Docker's engine. */
const WORKER = 'docker1';

/** Trouble in dockerd's log that is of the tests' making: images it lacks, managers that are gone. */
const EXPECTED = new RegExp(
  [
    '"pulling image failed"|"fatal task error"|anceled',
    'code = (Unavailable|Aborted)',
    'session failed.*(more than one redirect to leader|initiation timed out)',
    'remove task failed.*already in progress',
  ].join('|'),
);

let machines: TestMachines;
let swarm: TestCluster;
let pidAtStart: string;
let steady: SteadyTasks;

beforeAll(async () => {
  machines = new TestMachines();
  swarm = new TestCluster(machines, MANAGERS[0]);
  await Promise.all([
    machines.create([MANAGERS[0]]),
    machines.create([WORKER], ['--engine', 'dockerd']),
  ]);
  await loadImage(machines, MANAGERS[0], WORKER);
  pidAtStart = dockerdPid(machines, WORKER);
  await swarm.init();
});
afterAll(() => machines?.cleanUp());

const scene = (): Scene => ({ machines, swarm, worker: WORKER });

describe('a Docker Engine', { timeout: 120_000 }, () => {
  it('joins our manager with its stock client, and is Ready', async () => {
    expect(await swarm.join(WORKER, 'worker')).toBe('This node joined a swarm as a worker.');
    await expectJoined(scene(), /^Ready Active {2}20\.10\.\d+/);
  });

  testTasks(scene);

  it('gets new versions of configs, and the old one back', async () => {
    const file = join(machines.storage, 'conf');
    const placement = { constraints: [`node.hostname==${WORKER}`] };
    const configs = [{ source: 'conf', target: '/conf' }];
    const web = { image: IMAGE, configs, deploy: { placement } };
    const stack = { version: '3.8', services: { web }, configs: { conf: { file } } };
    const command = ['stack', 'deploy', '--resolve-image', 'never', '-c', '-', 'app'];
    const deploy = (version: string) => {
      writeFileSync(file, version);
      return machines.dockerResult(swarm.manager, command, { input: JSON.stringify(stack) });
    };
    const untilItHas = (version: string) =>
      until(
        async () => {
          const [id = ''] = await swarm.containerIds('app_web', 1);
          return shell(machines, WORKER, id, 'cat /conf').catch(() => '');
        },
        (text) => text === version,
      );
    for (const version of ['one', 'two']) {
      expect(await deploy(version)).toMatchObject({ code: 0 });
      await untilItHas(version);
    }
    await swarm.docker('service', 'rollback', '-d', 'app_web');
    await untilItHas('one');
    await swarm.docker('stack', 'rm', 'app');
  });

  it('runs tasks throughout what follows', async () => {
    steady = await SteadyTasks.start(scene(), 3);
  });
});

describe('its certificate is renewed, and its tasks run on', { timeout: 120_000 }, () => {
  it('at each rotation of the root', async () => {
    await rotateTwice(scene(), 'dockerd');
    await steady.expectUnharmed();
  });

  it('when it is promoted, which makes it a manager in our Raft, and when it is demoted', async () => {
    await promoteAndDemote(scene(), 'dockerd');
    await steady.expectUnharmed();
  });
});

describe('its tasks run on, in the same containers', { timeout: 120_000 }, () => {
  it('when our manager restarts', async () => {
    await machines.stop(swarm.manager);
    await machines.start(swarm.manager);
    await steady.expectUnharmed();
  });

  it('when our manager is killed', async () => {
    await machines.kill(swarm.manager);
    await machines.start(swarm.manager);
    await steady.expectUnharmed();
  });

  it('when the leader of three managers is killed', async () => {
    const [first, ...others] = MANAGERS;
    await machines.create(others);
    for (const name of others) {
      await swarm.join(name, 'manager');
      await swarm.untilNode(name, /Reachable/);
    }
    await machines.kill(first);
    swarm.manager = MANAGERS[1];
    await swarm.leader({ not: first, timeoutMs: PATIENCE_MS });
    await steady.expectUnharmed();
    await machines.start(first);
    await swarm.untilNode(first, /^Ready Active Reachable/);
    await steady.expectUnharmed();
  });
});

describe('a Docker Engine that', { timeout: 120_000 }, () => {
  it('loses its power has its tasks elsewhere, and stops them when it is back', async () => {
    await loadImage(machines, ...MANAGERS);
    await steady.remove();
    await losePower(scene());
    pidAtStart = dockerdPid(machines, WORKER);
  });

  it('leaves is Down, and can be removed', async () => {
    await leaveAndRemove(scene());
  });

  it('went through all this never crashed, and found nothing wrong with our messages', () => {
    expect(dockerdPid(machines, WORKER)).toBe(pidAtStart);
    expect(crashes(machines, WORKER)).toEqual([]);
    expect(complaints(machines, WORKER, EXPECTED)).toEqual([]);
  });
});
