import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_ADDRESS, TestDaemon } from './support/daemon.ts';
import { exec, must, until } from './support/exec.ts';
import { IMAGE, sampleArchive } from './support/sample.ts';
import { running } from './support/swarm.ts';

/** Room for the log's reserve (two segments of 16 MiB), and some more. */
const DISK_SIZE = '96m';

/** Far more configs than fit in what the log has reserved. */
const CONFIGS_MAX = 60;
const CONFIG_BYTES = 900_000;

describe('a full disk', () => {
  let node: TestDaemon;
  const filler = () => join(node.dataRoot, 'filler');
  const accepted: string[] = [];

  beforeAll(async () => {
    node = new TestDaemon();
    mkdirSync(node.dataRoot, { recursive: true });
    await must('mount', ['-t', 'tmpfs', '-o', `size=${DISK_SIZE}`, 'skep-full', node.dataRoot]);
    await node.prepare();
    await node.start();
    await node.docker('load', '-q', '-i', sampleArchive());
    await node.docker('swarm', 'init', '--advertise-addr', NODE_ADDRESS);
    await create('web', '--replicas', '2', '-p', '8080:80');
    await running(node, 'web', 2);
    await exec('sh', ['-c', `cat /dev/zero > ${filler()}`]);
  });
  afterAll(() => node?.cleanUp());

  const create = (name: string, ...args: string[]) =>
    node.docker('service', 'create', '-d', '--no-resolve-image', '--name', name, ...args, IMAGE);
  const config = (name: string) =>
    node.dockerResult(['config', 'create', name, '-'], { input: name.padEnd(CONFIG_BYTES, 'x') });
  const configs = async () =>
    (await node.docker('config', 'ls', '--format', '{{.Name}}')).split('\n').sort();

  it('refuses writes in plain words, while services and reads go on', async () => {
    let refusal = '';
    for (let at = 0; at < CONFIGS_MAX && refusal === ''; at++) {
      const { code, stderr } = await config(`c${at}`);
      if (code === 0) accepted.push(`c${at}`);
      else refusal = stderr;
    }
    expect(refusal).toContain('no space left on');
    for (const args of [
      ['run', '--rm', IMAGE, 'true'],
      ['load', '-i', sampleArchive()],
    ]) {
      expect(await node.dockerFails(...args)).toContain('no space left on device');
    }
    expect(await configs()).toEqual([...accepted].sort());
    expect(await node.docker('service', 'ls')).toMatch(/web +replicated +2\/2/);
    expect(await node.fetchFromOutside(8080)).toMatch(/^Hello/);
  });

  it('loses nothing that was accepted, though killed, and writes when there is room', async () => {
    await node.restart('SIGKILL');
    expect(await node.docker('ps', '-q')).toMatch(/^\w{12}\n\w{12}$/);
    expect(await node.fetchFromOutside(8080)).toMatch(/^Hello/);
    rmSync(filler());
    await until(
      () => node.docker('info', '-f', '{{.Swarm.LocalNodeState}}'),
      (state) => state === 'active',
    );
    expect(await configs()).toEqual([...accepted].sort());
    await until(
      () => config('after'),
      ({ code }) => code === 0,
    );
    await create('more', '--replicas', '2');
    await running(node, 'more', 2);
    await running(node, 'web', 2);
    await node.restart('SIGKILL');
    expect(await configs()).toEqual([...accepted, 'after'].sort());
    await running(node, 'web', 2);
    expect(await node.docker('run', '--rm', IMAGE, 'echo', 'well')).toBe('well');
  });
});
