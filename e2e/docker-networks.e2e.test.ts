import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { crashes, loadImage } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';
import { IDLE, PATIENCE_MS } from './support/swarm-view.ts';

/** A machine with our engine, and one with Docker's. */
const MACHINES = ['skep1', 'docker1'] as const;
const TASKS = 4;

let machines: TestMachines;

beforeAll(async () => {
  machines = new TestMachines();
  await Promise.all([
    machines.create([MACHINES[0]]),
    machines.create([MACHINES[1]], ['--engine', 'dockerd']),
  ]);
  await loadImage(machines, ...MACHINES);
});
afterAll(() => machines?.cleanUp());

/** Addresses of a name, as a container on a machine hears them. */
async function resolve(machine: string, name: string): Promise<string[]> {
  const container = (await machines.docker(machine, 'ps', '-q')).split('\n')[0] ?? '';
  const ask = ['exec', container, 'nslookup', name, '127.0.0.11'];
  const { stdout } = await machines.dockerResult(machine, ask);
  return [...stdout.matchAll(/^Address: (\S+)$/gm)].map(([, address = '']) => address).sort();
}

const resolves = (machine: string) =>
  until(
    () => resolve(machine, 'tasks.web'),
    ({ length }) => length === TASKS,
    PATIENCE_MS,
  );

async function expectReached(addresses: readonly string[]): Promise<void> {
  for (const machine of MACHINES) {
    const container = (await machines.docker(machine, 'ps', '-q')).split('\n')[0] ?? '';
    for (const address of addresses) {
      const answer = await machines.docker(machine, 'exec', container, 'ping', '-c1', address);
      expect(answer).toContain('1 packets received');
    }
  }
}

describe.each([
  { manager: 'skep1', worker: 'docker1' },
  { manager: 'docker1', worker: 'skep1' },
])('a network of $manager, which manages, and $worker', { timeout: 2 * PATIENCE_MS }, (roles) => {
  let swarm: TestCluster;

  beforeAll(async () => {
    swarm = new TestCluster(machines, roles.manager);
    await swarm.init();
    await swarm.join(roles.worker, 'worker');
    await swarm.docker('network', 'create', '-d', 'overlay', 'mixed');
  });
  afterAll(async () => {
    await swarm.remove('web');
    await machines.docker(roles.worker, 'swarm', 'leave');
    await machines.docker(roles.manager, 'swarm', 'leave', '-f');
  });

  it('has the same names on both, and all addresses are reached from both', async () => {
    const flags = ['--replicas', String(TASKS), '--endpoint-mode', 'dnsrr', '--network', 'mixed'];
    await swarm.create('--name', 'web', ...flags, ...IDLE);
    await swarm.running('web', TASKS);
    const [ours, theirs] = [await resolves('skep1'), await resolves('docker1')];
    expect(ours).toEqual(theirs);
    await expectReached(ours);
  });

  it('has them again after our daemon was killed', async () => {
    await machines.ssh('skep1', 'kill -9 $(cat /var/lib/skep/skepd.lock)');
    const answers = ({ code }: { code: number }) => code === 0;
    await until(() => machines.dockerResult('skep1', ['version']), answers, PATIENCE_MS);
    const [ours, theirs] = [await resolves('skep1'), await resolves('docker1')];
    expect(ours).toEqual(theirs);
    await expectReached(ours);
  });
});

it("brought Docker's engine down in none of this", () => {
  expect(crashes(machines, 'docker1')).toEqual([]);
});
