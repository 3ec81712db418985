import { expect } from 'vitest';
import { certificateOf } from './docker-engine.ts';
import { until } from './exec.ts';
import type { TestMachines } from './machines.ts';
import { IDLE, PATIENCE_MS, type SwarmView } from './swarm-view.ts';

/** A swarm of which one engine is ours and the other Docker's: what is tested is the same. */
export interface Scene {
  machines: TestMachines;
  swarm: SwarmView;
  /** Hostname of the worker, which has the sample image. */
  worker: string;
}

/** Has a service's tasks run on the worker. */
export function on({ worker }: Scene): string[] {
  return ['--constraint', `node.hostname==${worker}`];
}

/** The worker is Ready, with a line of `docker node ls` that matches, and both sides know each other. */
export async function expectJoined(scene: Scene, line: RegExp): Promise<void> {
  const { machines, swarm, worker } = scene;
  expect(await swarm.node(worker)).toMatch(line);
  const nodeId = await swarm.docker('node', 'inspect', '-f', '{{.ID}}', worker);
  expect(await machines.get(swarm.manager, `/nodes/${nodeId}`)).toMatchObject({
    Description: {
      Platform: { Architecture: expect.any(String), OS: 'linux' },
      Engine: { Plugins: expect.arrayContaining([{ Type: 'Network', Name: 'overlay' }]) },
      TLSInfo: { TrustRoot: expect.stringContaining('BEGIN CERTIFICATE') },
    },
    Status: { Addr: await machines.address(worker), State: 'ready' },
  });
  const { Swarm } = await machines.get<{ Swarm: object }>(worker, '/info');
  expect(Swarm).toMatchObject({
    NodeID: nodeId,
    LocalNodeState: 'active',
    ControlAvailable: false,
    RemoteManagers: [{ Addr: `${await machines.address(swarm.manager)}:2377` }],
  });
  expect(await machines.dockerFails(worker, 'node', 'ls')).toContain('not a swarm manager');
}

const STEADY = 'steady';

/** What runs throughout a test that shakes the swarm: each task with its container. */
export class SteadyTasks {
  readonly #scene: Scene;
  #pairs: string[] = [];

  private constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Starts `count` tasks on the worker. */
  static async start(scene: Scene, count: number): Promise<SteadyTasks> {
    const replicas = ['--replicas', String(count)];
    await scene.swarm.create('--name', STEADY, ...replicas, ...on(scene), ...IDLE);
    const steady = new SteadyTasks(scene);
    steady.#pairs = await steady.#running(count);
    return steady;
  }

  /** The worker is there, runs what it ran and nothing else, and takes new work. */
  async expectUnharmed(): Promise<void> {
    const { machines, swarm, worker } = this.#scene;
    await swarm.untilNode(worker, /^Ready/);
    expect(await this.#running(this.#pairs.length)).toEqual(this.#pairs);
    const containers = await machines.get<{ Id: string }[]>(worker, '/containers/json');
    const running = containers.map(({ Id }) => Id).sort();
    expect(running).toEqual(this.#pairs.map((pair) => pair.split(' ')[1]).sort());
    await swarm.create('--name', 'after', ...on(this.#scene), ...IDLE);
    await swarm.running('after', 1);
    await swarm.remove('after');
  }

  async remove(): Promise<void> {
    await this.#scene.swarm.remove(STEADY);
  }

  async #running(count: number): Promise<string[]> {
    const tasks = await this.#scene.swarm.running(STEADY, count);
    return tasks.map(({ ID, Status }) => `${ID} ${Status.ContainerStatus?.ContainerID}`).sort();
  }
}

/** Rotates the root twice; both times the worker ends with a new certificate under the new root. */
export async function rotateTwice(scene: Scene, engine: 'dockerd' | 'skepd'): Promise<void> {
  const { machines, swarm, worker } = scene;
  const serials = new Set([certificateOf(machines, worker, engine).serial]);
  for (const round of [2, 3]) {
    await swarm.docker('swarm', 'ca', '--rotate', '-q');
    const root = await swarm.docker('swarm', 'ca');
    const certificate = await until(
      async () => certificateOf(machines, worker, engine),
      ({ issuedBy, rootPem }) => issuedBy(root) && rootPem.trim() === root.trim(),
      PATIENCE_MS,
    );
    expect(serials.add(certificate.serial).size).toBe(round);
  }
}

/** Makes the worker a manager, which follows and knows what the swarm runs, and a worker again. */
export async function promoteAndDemote(
  { machines, swarm, worker }: Scene,
  engine: 'dockerd' | 'skepd',
): Promise<void> {
  const untilCertified = (wanted: string) =>
    until(
      async () => certificateOf(machines, worker, engine),
      ({ role }) => role === wanted,
      PATIENCE_MS,
    );
  await untilCertified('swarm-worker');
  await swarm.docker('node', 'promote', worker);
  await swarm.untilNode(worker, /^Ready Active Reachable/);
  await untilCertified('swarm-manager');
  await until(
    () => machines.dockerResult(worker, ['service', 'ls', '--format', '{{.Name}}']),
    ({ stdout }) => stdout === `${STEADY}\n`,
    PATIENCE_MS,
  );
  await swarm.docker('node', 'demote', worker);
  await swarm.untilNode(worker, /^Ready Active {2}\d/);
  await untilCertified('swarm-worker');
}

/** The worker's power fails: its tasks run elsewhere, and it stops them when it is back. */
export async function losePower({ machines, swarm, worker }: Scene): Promise<void> {
  await swarm.create('--name', 'moving', '--replicas', '4', ...IDLE);
  await swarm.running('moving', 4);
  expect(await machines.docker(worker, 'ps', '-q', '-f', 'name=moving')).not.toBe('');
  await machines.kill(worker);
  await swarm.untilNode(worker, /^Down/);
  const message = ['node', 'inspect', '-f', '{{.Status.Message}}', worker];
  expect(await swarm.docker(...message)).toMatch(/^heartbeat failure/);
  await swarm.running('moving', 4);
  await machines.start(worker);
  await swarm.untilNode(worker, /^Ready/);
  await until(
    () => machines.docker(worker, 'ps', '-q'),
    (ids) => ids === '',
    PATIENCE_MS,
  );
  await swarm.remove('moving');
}

/** The worker leaves, is Down, and is removed; nothing of its tasks stays there. */
export async function leaveAndRemove({ machines, swarm, worker }: Scene): Promise<void> {
  expect(await machines.docker(worker, 'swarm', 'leave')).toBe('Node left the swarm.');
  await swarm.untilNode(worker, /^Down/);
  expect(await swarm.docker('node', 'rm', worker)).toBe(worker);
  expect(await swarm.node(worker)).toBe('');
  const state = ['info', '-f', '{{.Swarm.LocalNodeState}}'];
  expect(await machines.docker(worker, ...state)).toBe('inactive');
  expect(await machines.docker(worker, 'ps', '-aq')).toBe('');
}
