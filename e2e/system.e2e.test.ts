import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DaemonSettings, TestDaemon } from './support/daemon.ts';
import { IMAGE } from './support/sample.ts';
import { startNode } from './support/swarm.ts';

/** The newest client and the one of Debian, as far as they are installed. */
const CLIENTS: DaemonSettings[] = ['/usr/local/bin/docker', '/usr/bin/docker']
  .filter((path) => existsSync(path))
  .map((docker) => ({ docker }));

describe.each(CLIENTS)('the engine to $docker', (settings) => {
  let node: TestDaemon;
  beforeAll(async () => {
    node = await startNode(settings);
  });
  afterAll(() => node?.cleanUp());

  it('tells version and API version', async () => {
    const format = '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.Os}}';
    expect(await node.docker('version', '--format', format)).toMatch(/^\d+\.\d+\.\d+ 1\.51 linux$/);
    expect(await node.docker('version')).toContain('containerd');
  });

  it('tells about itself and its swarm in info', async () => {
    const info = await node.docker('info');
    expect(info).toMatch(/Swarm: active/);
    expect(info).toMatch(/Is Manager: true/);
    expect(info).toMatch(/Managers: 1/);
    expect(info).toMatch(/Node Address: 192\.0\.2\.10/);
    expect(info).toMatch(/Default Address Pool: 10\.0\.0\.0\/8/);
    expect(info).toMatch(/seccomp/);
    expect(info).not.toMatch(/ERROR/);
  });

  it('waits for updates and rollbacks, and tells how they end', async () => {
    const service = (verb: string, ...args: string[]) =>
      node.dockerResult(['service', verb, '--detach=false', ...args]);
    const times = ['--update-monitor', '3s', '--rollback-monitor', '100ms'];
    await node.docker('service', 'create', '-d', '--name', 'web', ...times, IMAGE);
    const failing = "sh -c 'echo no database >&2; exit 3'";
    const paused = await service('update', '--args', failing, 'web');
    expect(paused.code).toBe(1);
    expect(paused.stderr).toMatch(
      /service update paused: update paused due to failure or early termination of task \w{25}: /,
    );
    expect(paused.stderr).toContain(': task: non-zero exit (3); last log line: no database');
    const back = await service('rollback', 'web');
    expect(back).toMatchObject({ code: 0 });
    expect(back.stdout).toMatch(/rolling back update: 1 out of 1 tasks.* converged/s);
    await node.docker('service', 'rm', 'web');
  });

  it('answers a ping with the state of the swarm', async () => {
    const { status, body } = await node.request('GET', '/_ping');
    expect([status, body]).toEqual([200, 'OK']);
    const head = await node.inside('curl', '-sI', '--unix-socket', node.socket, 'http://x/_ping');
    expect(head.stdout).toMatch(/swarm: active\/manager/i);
    expect(head.stdout).toMatch(/api-version: 1\.51/i);
  });

  it('shows disk usage', async () => {
    const usage = await node.docker('system', 'df');
    expect(usage).toMatch(/Images +1 /);
    expect(usage).toMatch(/Local Volumes +0/);
  });

  it('streams events of containers and of the swarm', async () => {
    const since = String(Math.floor(Date.now() / 1000) - 1);
    await node.docker('run', '--rm', '--name', 'short', 'skep/web', 'true');
    await node.docker(
      'service',
      'create',
      '-d',
      '--no-resolve-image',
      '--replicas',
      '0',
      '--name',
      'idle',
      'skep/web',
    );
    await node.docker('service', 'rm', 'idle');
    const until = String(Math.floor(Date.now() / 1000) + 2);
    const events = await node.docker('events', '--since', since, '--until', until);
    for (const action of ['create', 'start', 'die', 'destroy']) {
      expect(events).toMatch(new RegExp(`container ${action} [0-9a-f]{64} .*name=short`));
    }
    expect(events).toMatch(/container die .*exitCode=0/);
    expect(events).toMatch(/service create .*name=idle/);
    expect(events).toMatch(/service remove .*name=idle/);
  });

  it('refuses what it has not with a plain sentence', async () => {
    const { status, body } = await node.request('POST', '/build');
    expect([status, JSON.parse(body).message]).toEqual([
      501,
      'building images is not supported by this engine',
    ]);
    expect((await node.request('GET', '/v1.99/info')).status).toBe(400);
    expect((await node.request('GET', '/nowhere')).status).toBe(404);
  });
});
