import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { until } from './support/exec.ts';
import { processesMentioning } from './support/leftovers.ts';
import { IMAGE } from './support/sample.ts';
import { running, startNode, tasksOf } from './support/swarm.ts';

describe('a containerd that is killed', () => {
  const programs = mkdtempSync(join(tmpdir(), 'skep-programs-'));
  /** While it exists, containerd cannot start. */
  const obstacle = join(programs, 'containerd');
  let node: TestDaemon;
  beforeAll(async () => {
    mkdirSync(programs, { recursive: true });
    node = await startNode({ programs });
    await node.docker(
      ...['service', 'create', '-d', '--no-resolve-image', '--name', 'web'],
      ...['--replicas', '2', '-p', '8080:80', IMAGE],
    );
    await running(node, 'web', 2);
    await node.docker('run', '-d', '--name', 'plain', IMAGE);
  });
  afterAll(async () => {
    await node?.cleanUp();
    rmSync(programs, { recursive: true, force: true });
  });

  const containerdPid = () =>
    processesMentioning(node.directory).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('containerd\0'),
    );
  const kill = () => process.kill(containerdPid() ?? -1, 'SIGKILL');
  const pids = async () =>
    (await running(node, 'web', 2)).map(({ Status }) => Status.ContainerStatus?.PID).sort();

  it('is started again, and neither containers nor tasks notice', async () => {
    const before = await pids();
    for (let round = 0; round < 3; round++) {
      const old = containerdPid();
      kill();
      await until(
        () => node.dockerResult(['run', '--rm', IMAGE, 'echo', 'back']),
        ({ code, stdout }) => code === 0 && stdout === 'back\n',
      );
      expect(containerdPid()).not.toBe(old);
    }
    expect(await pids()).toEqual(before);
    expect(await tasksOf(node, 'web')).toHaveLength(2);
    expect(await node.docker('inspect', 'plain', '-f', '{{.State.Running}}')).toBe('true');
  });

  it('is missed in plain words, and what was asked for is done when it is back', async () => {
    writeFileSync(obstacle, '#!/bin/sh\nexit 1\n');
    chmodSync(obstacle, 0o755);
    kill();
    const missing =
      /containerd cannot be reached at \S+containerd\.sock: (connection refused|no such file)/;
    await until(
      () => node.dockerResult(['images']),
      ({ stderr }) => missing.test(stderr),
    );
    for (const args of [
      ['run', '--rm', IMAGE, 'true'],
      ['exec', 'plain', 'true'],
      ['stop', 'plain'],
      ['system', 'df'],
    ]) {
      const { code, stdout, stderr } = await node.dockerResult(args);
      expect(code).not.toBe(0);
      expect(stdout + stderr).toMatch(missing);
    }
    expect((await node.request('GET', '/images/json')).status).toBe(503);
    expect(await node.docker('ps', '--format', '{{.Names}}')).toContain('plain');
    expect(await node.docker('service', 'ls')).toMatch(/web +replicated +2\/2/);
    expect(await node.fetchFromOutside(8080)).toMatch(/^Hello/);
    await node.docker('service', 'scale', '-d', 'web=3');
    rmSync(obstacle);
    await running(node, 'web', 3);
    expect(await tasksOf(node, 'web')).toHaveLength(3);
    expect(await node.docker('run', '--rm', IMAGE, 'echo', 'back')).toBe('back');
    await node.docker('rm', '-f', 'plain');
  });
});
