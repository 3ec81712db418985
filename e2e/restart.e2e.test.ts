import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { exec, until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { running, startNode, tasksOf } from './support/swarm.ts';

const COUNTER = 'i=0; while true; do i=$((i+1)); echo $i; sleep 0.01; done';

describe.each(['SIGKILL', 'SIGTERM'] as const)('a daemon ended by %s', (signal) => {
  let node: TestDaemon;
  beforeAll(async () => {
    node = await startNode();
  });
  afterAll(() => node?.cleanUp());

  it('finds its containers running, untouched, and their logs without a gap', async () => {
    await node.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      'count',
      '--replicas',
      '3',
      IMAGE,
      'sh',
      '-c',
      COUNTER,
    );
    await node.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      'web',
      '-p',
      '8080:80',
      IMAGE,
    );
    const before = [...(await running(node, 'count', 3)), ...(await running(node, 'web', 1))];
    const pids = before.map(({ Status }) => Status.ContainerStatus?.PID);
    for (let round = 0; round < 3; round++) await node.restart(signal);
    const after = [...(await running(node, 'count', 3)), ...(await running(node, 'web', 1))];
    expect(after.map(({ ID }) => ID).sort()).toEqual(before.map(({ ID }) => ID).sort());
    expect(after.map(({ Status }) => Status.ContainerStatus?.PID).sort()).toEqual(pids.sort());
    expect((await tasksOf(node, 'count')).length).toBe(3);
    expect(await node.fetchFromOutside(8080)).toMatch(/^Hello/);
    const id = after[0]?.Status.ContainerStatus?.ContainerID ?? '';
    const lines = (await node.docker('logs', id)).split('\n').map(Number);
    expect(lines.length).toBeGreaterThan(10);
    expect(lines).toEqual(lines.map((_, at) => at + 1));
    const next = lines.length;
    await until(
      () => node.docker('logs', '--tail', '1', id),
      (last) => Number(last) > next,
    );
  });

  it('finds containers running whose health was being looked at', async () => {
    const often = ['--health-cmd', 'sleep 0.1', '--health-interval', '100ms'];
    const create = ['service', 'create', '-d', '--no-resolve-image', '--name', 'watched'];
    await node.docker(...create, '--replicas', '3', ...often, IMAGE);
    const ids = async () => (await running(node, 'watched', 3)).map(({ ID }) => ID).sort();
    const before = await ids();
    for (let round = 0; round < 3; round++) {
      await node.restart(signal);
      expect(await ids()).toEqual(before);
    }
    await node.docker('service', 'rm', 'watched');
  });

  it('notices a container that died meanwhile, and replaces it', async () => {
    const [task] = await running(node, 'web', 1);
    await node.end(signal);
    await exec('kill', ['-9', String(task?.Status.ContainerStatus?.PID)]);
    await node.start();
    const died = await until(
      async () => (await tasksOf(node, 'web')).find(({ ID }) => ID === task?.ID),
      (now) => now?.Status.State === 'failed',
    );
    expect(died?.Status.Err).toContain('task: non-zero exit (137)');
    const [fresh] = await running(node, 'web', 1);
    expect(fresh?.ID).not.toBe(task?.ID);
    await until(
      () => node.fetchFromOutside(8080),
      (body) => body.startsWith('Hello'),
    );
  });

  it('keeps every accepted write', async () => {
    for (let at = 0; at < 5; at++) {
      await node.docker(
        'service',
        'create',
        '-d',
        '--no-resolve-image',
        '--name',
        `kept${at}`,
        '--replicas',
        '0',
        IMAGE,
      );
    }
    await node.restart(signal);
    const names = await node.docker('service', 'ls', '--format', '{{.Name}}');
    for (let at = 0; at < 5; at++) expect(names).toContain(`kept${at}`);
  });

  it('leaves nothing half-made when it ends amid a start of many', async () => {
    await node.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--name',
      'many',
      '--replicas',
      '20',
      IMAGE,
    );
    await until(
      () => node.docker('ps', '-q', '--filter', 'name=many'),
      (ids) => ids !== '',
    );
    await node.restart(signal);
    await running(node, 'many', 20);
    const containers = (
      await node.docker('ps', '-aq', '--no-trunc', '--filter', 'name=many')
    ).split('\n');
    expect(containers).toHaveLength(20);
    await node.docker('service', 'rm', 'many', 'count', 'web');
    await until(
      () => node.docker('ps', '-aq'),
      (ids) => ids === '',
    );
    const namespaces = await node.inside(
      'sh',
      '-c',
      `ls ${node.execRoot}/netns 2>/dev/null | wc -l`,
    );
    expect(Number(namespaces.stdout)).toBeLessThanOrEqual(1); // the ingress one
    const rules = (await node.inside('nft', 'list', 'ruleset')).stdout;
    expect(rules).not.toMatch(/8080/);
    const links = (await node.inside('ip', '-o', 'link')).stdout;
    expect(
      links.split('\n').filter((line) => /veth/.test(line) && !/eth0@/.test(line)).length,
    ).toBeLessThanOrEqual(1);
  });
});
