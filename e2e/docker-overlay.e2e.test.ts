import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { TestCluster } from './support/cluster.ts';
import { loadImage } from './support/docker-engine.ts';
import { until } from './support/exec.ts';
import { TestMachines } from './support/machines.ts';
import { type PlacedTask, placed } from './support/overlay-scene.ts';
import { answerers, probe } from './support/probe.ts';
import { PATIENCE_MS } from './support/swarm-view.ts';

/** A Docker Engine as a worker of our manager, in an overlay network with us. */

const OURS = ['node1', 'node2'];
const DOCKER = 'docker1';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 });

let cluster: TestCluster;
let tasks: PlacedTask[];

beforeAll(async () => {
  const machines = new TestMachines();
  cluster = new TestCluster(machines, 'node1');
  await Promise.all([machines.create(OURS), machines.create([DOCKER], ['--engine', 'dockerd'])]);
  await loadImage(machines, ...OURS, DOCKER);
  await cluster.init();
  for (const name of ['node2', DOCKER]) await cluster.join(name, 'worker');
  await cluster.docker('network', 'create', '-d', 'overlay', '--attachable', 'mixed');
  const flags = ['--mode', 'global', '--endpoint-mode', 'dnsrr', '--network', 'mixed'];
  await cluster.create('--name', 'web', ...flags, ...probe());
  tasks = await placed(cluster, 'web', 3);
});
afterAll(() => cluster?.cleanUp());

const address = ({ addresses }: PlacedTask) => addresses['mixed'] ?? '';

describe('a Docker Engine on an overlay network', () => {
  it('is reached by our containers, and reaches them, by address', async () => {
    for (const { place } of tasks) {
      for (const other of tasks) {
        const seen = await until(
          () => place.get(`http://${address(other)}/`),
          ([outcome]) => typeof outcome === 'object',
          PATIENCE_MS,
        );
        expect(answerers(seen)[0]).toMatch(new RegExp(`@${other.node}$`));
      }
    }
  });

  it('gives and gets names: of a service without a virtual IP, of its tasks, of containers', async () => {
    const all = tasks.map(address).sort();
    for (const { place, node } of tasks) {
      const found = await until(
        () => place.lookup('web', 'tasks.web'),
        (names) => names.web.length === all.length,
        PATIENCE_MS,
      );
      expect([node, found]).toEqual([node, { web: all, 'tasks.web': all }]);
    }
  });

  it('forgets a task of ours that is gone, and we forget its', async () => {
    for (const node of [DOCKER, 'node2']) {
      await cluster.docker('node', 'update', '--availability', 'drain', node);
      const left = tasks.filter((task) => task.node !== node);
      for (const { place } of left) {
        await until(
          () => place.lookup('tasks.web'),
          (names) => names['tasks.web'].length === left.length,
          PATIENCE_MS,
        );
        expect(await place.lookup('web')).toEqual({ web: left.map(address).sort() });
      }
      await cluster.docker('node', 'update', '--availability', 'active', node);
      tasks = await placed(cluster, 'web', 3);
    }
  });
});
