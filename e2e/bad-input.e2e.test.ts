import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { exec, must, until } from './support/exec.ts';
import { processesMentioning } from './support/leftovers.ts';
import { IMAGE } from './support/sample.ts';
import { running, startNode, tasksOf } from './support/swarm.ts';

const SKEPD = new URL('../bin/skepd', import.meta.url).pathname;

describe('a containerd that is killed', () => {
  let node: TestDaemon;
  beforeAll(async () => {
    node = await startNode();
    await node.docker('service', 'create', '-d', '--name', 'web', '--replicas', '2', IMAGE);
    await running(node, 'web', 2);
  });
  afterAll(() => node?.cleanUp());

  const containerdPid = () =>
    processesMentioning(node.directory).find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('containerd\0'),
    );
  const kill = () => process.kill(containerdPid() ?? -1, 'SIGKILL');

  it('is started again, and neither containers nor tasks notice', async () => {
    const plain = await node.docker('run', '-d', '--name', 'plain', IMAGE);
    const before = await running(node, 'web', 2);
    for (let round = 0; round < 3; round++) {
      const old = containerdPid();
      kill();
      await until(
        () => node.dockerResult(['run', '--rm', IMAGE, 'echo', 'back']),
        ({ code, stdout }) => code === 0 && stdout === 'back\n',
      );
      expect(containerdPid()).not.toBe(old);
    }
    const after = await running(node, 'web', 2);
    expect(after.map(({ ID }) => ID).sort()).toEqual(before.map(({ ID }) => ID).sort());
    expect(await node.docker('inspect', plain, '-f', '{{.State.Running}}')).toBe('true');
    await node.docker('service', 'scale', '-d', 'web=3');
    await running(node, 'web', 3);
    expect((await tasksOf(node, 'web')).length).toBe(3);
  });

  it('is missed in plain words meanwhile', async () => {
    // A stopped process answers nobody; killed and not to be started, it leaves a dead socket.
    const socket = join(node.execRoot, 'containerd');
    console.log(readdirSync(node.execRoot), socket);
    const path = '/usr/bin/containerd';
    await must('mount', ['--bind', '/bin/false', path]);
    try {
      kill();
      for (const args of [
        ['ps'],
        ['run', '--rm', IMAGE, 'true'],
        ['images'],
        ['service', 'ls'],
        ['info'],
        ['exec', 'plain', 'true'],
        ['logs', 'plain'],
        ['stop', '-t', '1', 'plain'],
        ['rm', '-f', 'plain'],
        ['inspect', 'plain'],
        ['pull', '127.0.0.1:1/x'],
        ['system', 'df'],
        ['rmi', IMAGE],
        ['service', 'scale', '-d', 'web=4'],
        ['service', 'ps', 'web'],
      ]) {
        const t = Date.now();
        const r = await node.dockerResult(args);
        console.log(
          args.join(' '),
          Date.now() - t,
          r.code,
          r.stdout.slice(0, 300),
          r.stderr.slice(0, 300),
        );
      }
      console.log(
        await node.request('GET', '/info').then(({ status, body }) => [status, body.slice(0, 100)]),
      );
      console.log((await tasksOf(node, 'web')).map((t) => [t.Status.State, t.Status.Err]));
    } finally {
      await must('umount', [path]);
    }
    const t = Date.now();
    await until(
      () => node.dockerResult(['run', '--rm', IMAGE, 'true']),
      ({ code }) => code === 0,
    );
    console.log('back after', Date.now() - t);
    await running(node, 'web', 4);
    console.log((await tasksOf(node, 'web')).map((t) => [t.Status.State, t.Status.Err]));
    console.log(
      node
        .log()
        .split('\n')
        .filter((l) => /"level":"(warn|error)/.test(l))
        .slice(-40)
        .join('\n'),
    );
  });
});
