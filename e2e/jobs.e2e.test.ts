import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { must, until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { type ApiTask, running, startNode, tasksOf } from './support/swarm.ts';

const CLIENTS = ['/usr/local/bin/docker', '/usr/bin/docker'].filter((path) => existsSync(path));

const RESOURCES = ['GPU=red', 'GPU=blue', 'SSD=3'];

describe('jobs, and what tasks ask of nodes', () => {
  let node: TestDaemon;
  beforeAll(async () => {
    const flags = RESOURCES.flatMap((resource) => ['--node-generic-resource', resource]);
    node = await startNode({ flags: [...flags, '--label', 'disk=ssd'] });
  });
  afterAll(() => node?.cleanUp());

  const create = (...args: string[]) =>
    node.docker('service', 'create', '--no-resolve-image', ...args);
  const listed = async (name: string) =>
    (await node.docker('service', 'ls', '-f', `name=${name}`)).split('\n')[1];
  const states = async (name: string) =>
    (await tasksOf(node, name)).map((task) => task.Status.State).sort();

  it.each(CLIENTS)('come to their end before the eyes of the user of %s', async (client) => {
    const docker = (...args: string[]) => must(client, ['-H', `unix://${node.socket}`, ...args]);
    const job = ['--name', 'sums', '--mode', 'replicated-job', '--replicas', '3'];
    const flags = ['service', 'create', '--no-resolve-image', ...job, '--max-concurrent', '2'];
    const said = await docker(...flags, IMAGE, 'sh', '-c', 'sleep 0.3; echo done');
    expect(said).toContain('active tasks: 2 out of 2 tasks');
    expect(said).toMatch(/job complete\s*$/);
    expect(await listed('sums')).toMatch(/ replicated job +0\/2 \(3\/3 completed\) /);
    expect(await docker('service', 'ps', 'sums')).toMatch(/sums\.2 .* Complete +Complete/);

    expect(await docker('service', 'update', '--force', 'sums')).toMatch(/job complete\s*$/);
    expect(await docker('service', 'scale', 'sums=1')).toMatch(/job complete\s*$/);
    expect(await listed('sums')).toMatch(/ 0\/2 \(1\/1 completed\) /);
    const status = await docker('service', 'inspect', 'sums', '-f', '{{json .JobStatus}}');
    expect(JSON.parse(status).JobIteration).toEqual({ Index: 2 });
    expect(await docker('service', 'logs', '--raw', 'sums')).toMatch(/^done/);
    await docker('service', 'rm', 'sums');
    await until(
      () => node.docker('ps', '-aq'),
      (left) => left === '',
    );
  });

  it('leave what fails alone when the policy says so, and do the rest', async () => {
    const policy = ['--restart-max-attempts', '1', '--restart-delay', '100ms'];
    const script = 'test -e /tmp/never || test "$SLOT" = 1';
    const job = ['--mode', 'replicated-job', '--replicas', '2', '--max-concurrent', '1'];
    const slot = ['-e', 'SLOT={{.Task.Slot}}'];
    await create('-d', '--name', 'half', ...job, ...policy, ...slot, IMAGE, 'sh', '-c', script);
    await until(
      () => states('half'),
      (seen) => seen.join() === 'complete,failed,failed',
    );
    expect(await listed('half')).toMatch(/ 0\/1 \(1\/2 completed\) /);
    expect(await node.docker('service', 'ps', 'half')).toContain('task: non-zero exit (1)');
  });

  it('run on each node, and stop in the middle when they are asked to run again', async () => {
    expect(await create('--name', 'each', '--mode', 'global-job', IMAGE, 'true')).toMatch(
      /job complete\s*$/,
    );
    expect(await listed('each')).toMatch(/ global job +0\/0 \(1\/1 completed\) /);
    await node.docker('service', 'update', '-d', '--args', 'sleep 300', 'each');
    await until(
      () => states('each'),
      (seen) => seen.join() === 'complete,running',
    );
    await node.docker('service', 'update', '-d', '--args', 'true', 'each');
    await until(
      () => states('each'),
      (seen) => seen.join() === 'complete,complete',
    );
  });

  it('are refused what jobs have not', async () => {
    const flags = ['service', 'create', '--mode', 'global-job', '--update-delay', '1s', IMAGE];
    expect(await node.dockerFails(...flags)).toBe(
      'update and rollback configuration is not supported for jobs',
    );
    expect(await node.dockerFails('service', 'update', '--update-delay', '1s', 'each')).toContain(
      'Jobs may not have an update config',
    );
    expect(await node.dockerFails('service', 'scale', 'each=2')).toContain(
      'scale can only be used with replicated or replicated-job mode',
    );
  });

  it('get generic resources, and say in full why there is no place', async () => {
    const wants = ['--generic-resource', 'GPU=1', '--generic-resource', 'SSD=1'];
    await create('-d', '--name', 'gpu', '--replicas', '3', ...wants, IMAGE);
    const tasks = await until(
      () => tasksOf(node, 'gpu'),
      (seen) => seen.some((task) => task.Status.Err) && seen.filter(isRunning).length === 2,
    );
    const cards = await Promise.all(tasks.filter(isRunning).map(environmentOf));
    expect(cards.sort()).toEqual([
      ['DOCKER_RESOURCE_GPU=blue', 'DOCKER_RESOURCE_SSD=1'],
      ['DOCKER_RESOURCE_GPU=red', 'DOCKER_RESOURCE_SSD=1'],
    ]);
    expect(await node.docker('service', 'ps', '--no-trunc', 'gpu')).toContain(
      '"no suitable node (insufficient resources on 1 node): short of GPU on 1 node"',
    );
  });

  it('go by engine labels, and wait where no node has them', async () => {
    await create('-d', '--name', 'here', '--constraint', 'engine.labels.disk==SSD', IMAGE);
    await running(node, 'here', 1);
    await create('-d', '--name', 'gone', '--constraint', 'engine.labels.disk!=ssd', IMAGE);
    const [task] = await until(
      () => tasksOf(node, 'gone'),
      ([only]) => only?.Status.Err !== undefined,
    );
    expect(task?.Status.Err).toBe(
      'no suitable node (scheduling constraints not satisfied on 1 node): ' +
        'engine.labels.disk != ssd fails on 1 node',
    );
  });

  const isRunning = (task: ApiTask) => task.Status.State === 'running';
  const environmentOf = async (task: ApiTask) => {
    const id = task.Status.ContainerStatus?.ContainerID ?? '';
    const env = await node.docker('inspect', '-f', '{{json .Config.Env}}', id);
    const all = JSON.parse(env) as string[];
    return all.filter((one) => one.startsWith('DOCKER_RESOURCE_')).sort();
  };
});
