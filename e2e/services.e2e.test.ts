import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { containerOf, running, startNode, tasksOf } from './support/swarm.ts';

/** What a stack leaves behind it when it goes: ports, subnets, names. */
const STACK = `
version: "3.8"
services:
  web:
    image: ${IMAGE}
    ports: ["8080:80"]
    networks: [front, back]
    secrets: [key]
    configs: [conf]
    deploy: {update_config: {monitor: 100ms}}
networks: {front: {}, back: {ipam: {config: [{subnet: 10.88.0.0/24}]}}}
secrets: {key: {file: stack.yml}}
configs: {conf: {file: stack.yml}}
`;

describe('services', () => {
  let node: TestDaemon;
  beforeAll(async () => {
    node = await startNode();
  });
  afterAll(() => node?.cleanUp());
  afterEach(async () => {
    const ids = (await node.docker('service', 'ls', '-q')).split('\n').filter(Boolean);
    if (ids.length > 0) await node.docker('service', 'rm', ...ids);
    await until(
      () => node.docker('ps', '-aq'),
      (left) => left === '',
    );
  });

  const create = (...args: string[]) =>
    node.docker('service', 'create', '-d', '--no-resolve-image', ...args);

  it('converge before the eyes of the user', async () => {
    const said = await node.docker('service', 'create', '--name', 'web', '--replicas', '2', IMAGE);
    expect(said).toMatch(/verify: Service \S+ converged/);
    expect(await node.docker('service', 'ls')).toMatch(/web +replicated +2\/2 +skep\/web:latest/);
  });

  it('publish a port on the node, on localhost and outside, over all tasks', async () => {
    await create('--name', 'web', '--replicas', '3', '-p', '8080:80', IMAGE);
    await running(node, 'web', 3);
    const seen = new Set<string>();
    for (let call = 0; call < 60; call++) seen.add(await node.fetchFromOutside(8080));
    expect(seen.size).toBe(3);
    expect(await node.fetch('http://127.0.0.1:8080/')).toMatch(/^Hello from [0-9a-f]{12}/);
    expect(await node.fetch('http://192.0.2.10:8080/')).toMatch(/^Hello from/);
    expect(await node.docker('service', 'ls')).toMatch(/\*:8080->80\/tcp/);
    const endpoint = await node.docker('service', 'inspect', 'web', '-f', '{{json .Endpoint}}');
    expect(JSON.parse(endpoint).VirtualIPs[0].Addr).toMatch(/^10\.0\.0\.\d+\/24$/);
  });

  it('publish a port in host mode, also a free one', async () => {
    await create('--name', 'web', '-p', 'mode=host,target=80,published=8081', IMAGE);
    await running(node, 'web', 1);
    await until(
      () => node.fetchFromOutside(8081),
      (body) => body.startsWith('Hello'),
    );
    expect(await node.docker('service', 'ps', 'web')).toMatch(/\*:8081->80\/tcp/);
    await create('--name', 'any', '-p', 'mode=host,target=80', IMAGE);
    const [task] = await running(node, 'any', 1);
    const port = task?.Status.PortStatus?.Ports?.[0]?.PublishedPort ?? 0;
    expect(await node.fetch(`http://127.0.0.1:${port}/`)).toMatch(/^Hello/);
  });

  it('scale up and down', async () => {
    await create('--name', 'web', IMAGE);
    await running(node, 'web', 1);
    await node.docker('service', 'scale', '-d', 'web=4');
    await running(node, 'web', 4);
    await node.docker('service', 'scale', '-d', 'web=1');
    await running(node, 'web', 1);
    await until(
      () => tasksOf(node, 'web'),
      (tasks) => tasks.length === 1,
    );
    await until(
      () => node.docker('ps', '-aq'),
      (ids) => ids.split('\n').length === 1,
    );
  });

  it('show themselves in inspect and ps', async () => {
    await create(
      '--name',
      'web',
      '--label',
      'tier=front',
      '--limit-memory',
      '64M',
      '-e',
      'A=b',
      IMAGE,
    );
    await running(node, 'web', 1);
    const pretty = await node.docker('service', 'inspect', '--pretty', 'web');
    expect(pretty).toMatch(/Service Mode:\s+Replicated/);
    expect(pretty).toMatch(/Memory:\s+64MiB/);
    expect(pretty).toMatch(/tier=front/);
    expect(await node.docker('service', 'ps', 'web')).toMatch(
      /web\.1 +skep\/web:latest +\S+ +Running +Running/,
    );
    const container = await node.docker('inspect', await containerOf(node, 'web'));
    const [{ Name, Config, HostConfig }] = JSON.parse(container);
    expect(Name).toMatch(/^\/web\.1\.[0-9a-z]{25}$/);
    expect(Config.Labels['com.docker.swarm.service.name']).toBe('web');
    expect(HostConfig.Memory).toBe(64 * 1024 * 1024);
  });

  it('update by replacing tasks, and roll back', async () => {
    await create(
      '--name',
      'web',
      '--replicas',
      '2',
      '--update-delay',
      '0s',
      '--update-monitor',
      '100ms',
      '-e',
      'V=1',
      IMAGE,
    );
    const first = (await running(node, 'web', 2)).map(({ ID }) => ID);
    await node.docker('service', 'update', '--env-add', 'V=2', '--update-monitor', '100ms', 'web');
    const second = await running(node, 'web', 2);
    expect(second.map(({ ID }) => ID).some((id) => first.includes(id))).toBe(false);
    expect(second[0]?.Spec.ContainerSpec.Env).toEqual(['V=2']);
    const state = () => node.docker('service', 'inspect', 'web', '-f', '{{.UpdateStatus.State}}');
    await until(state, (now) => now === 'completed');
    await node.docker('service', 'rollback', '-d', 'web');
    await until(state, (now) => now === 'rollback_completed');
    const third = await running(node, 'web', 2);
    expect(third[0]?.Spec.ContainerSpec.Env).toEqual(['V=1']);
    await node.docker('service', 'update', '-d', '--force', 'web');
    await until(
      () => tasksOf(node, 'web'),
      (tasks) => tasks.filter(({ Status }) => Status.State === 'shutdown').length >= 6,
    );
  });

  it('update image, replicas, labels, ports, mounts and limits', async () => {
    await node.docker('tag', IMAGE, 'skep/web:two');
    await create('--name', 'web', '--update-monitor', '100ms', '-p', '8082:80', IMAGE);
    await running(node, 'web', 1);
    // The updater writes how far it is between the client's reading and its writing: Docker has one ask again.
    const update = async (...args: string[]) => {
      const command = ['service', 'update', '-d', '--no-resolve-image', ...args, 'web'];
      const { code, stderr } = await until(
        () => node.dockerResult(command),
        (result) => !result.stderr.includes('update out of sequence'),
      );
      expect({ code, stderr }).toMatchObject({ code: 0 });
    };
    await update('--replicas', '2', '--label-add', 'tier=front');
    await running(node, 'web', 2);
    await update('--image', 'skep/web:two', '--limit-memory', '48M', '--limit-pids', '40');
    await update('--publish-rm', '80', '--publish-add', '8083:80', '--publish-add', '8084:80');
    await update('--mount-add', 'type=tmpfs,dst=/scratch', '--container-label-add', 'c=d');
    const state = () => node.docker('service', 'inspect', 'web', '-f', '{{.UpdateStatus.State}}');
    await until(state, (now) => now === 'completed');
    const [task] = await running(node, 'web', 2);
    expect(task?.Spec.ContainerSpec.Image).toBe('skep/web:two');
    const id = task?.Status.ContainerStatus?.ContainerID ?? '';
    const [{ HostConfig, Config }] = JSON.parse(await node.docker('inspect', id));
    expect(HostConfig).toMatchObject({ Memory: 48 * 1024 * 1024, PidsLimit: 40 });
    expect(Config.Labels.c).toBe('d');
    expect(await node.docker('exec', id, 'mount')).toMatch(/tmpfs on \/scratch/);
    expect(await node.docker('service', 'inspect', 'web', '-f', '{{.Spec.Labels.tier}}')).toBe(
      'front',
    );
    await until(
      () => node.fetchFromOutside(8084),
      (body) => body.startsWith('Hello'),
    );
    expect(await node.fetchFromOutside(8083)).toMatch(/^Hello/);
    expect(await node.fetchFromOutside(8082)).toBe('');
  });

  it('replace tasks one at a time, start first when asked, without a gap', async () => {
    const order = ['--update-order', 'start-first', '--update-monitor', '50ms'];
    await create('--name', 'web', '--replicas', '2', ...order, '-p', '8085:80', IMAGE);
    await running(node, 'web', 2);
    await node.docker('service', 'update', '-d', '--no-resolve-image', '--env-add', 'V=2', 'web');
    const state = () => node.docker('service', 'inspect', 'web', '-f', '{{.UpdateStatus.State}}');
    let fewest = Number.POSITIVE_INFINITY;
    await until(
      async () => {
        const tasks = await tasksOf(node, 'web');
        const up = tasks.filter(({ Status }) => Status.State === 'running').length;
        fewest = Math.min(fewest, up);
        return state();
      },
      (now) => now === 'completed',
    );
    expect(fewest).toBeGreaterThanOrEqual(2);
  });

  it('pause an update whose tasks fail, and say why', async () => {
    await create('--name', 'web', '--update-monitor', '1s', '--restart-delay', '100ms', IMAGE);
    await running(node, 'web', 1);
    await node.docker('service', 'update', '-d', '--args', 'false', 'web');
    const status = () =>
      node.docker(
        'service',
        'inspect',
        'web',
        '-f',
        '{{.UpdateStatus.State}}: {{.UpdateStatus.Message}}',
      );
    expect(await until(status, (text) => text.startsWith('paused'))).toMatch(
      /^paused: update paused due to failure .* of task [0-9a-z]{25}: task: non-zero exit \(1\)$/,
    );
  });

  it('restart what ends, by their policy, and keep a bounded history', async () => {
    await create('--name', 'crash', '--restart-delay', '50ms', IMAGE, 'sh', '-c', 'exit 3');
    await until(
      () => tasksOf(node, 'crash'),
      (tasks) => tasks.length >= 5 && tasks.some(({ Status }) => Status.State === 'failed'),
    );
    const failed = (await tasksOf(node, 'crash')).find(({ Status }) => Status.State === 'failed');
    expect(failed?.Status.Err).toBe('task: non-zero exit (3)');
    await until(
      () => tasksOf(node, 'crash'),
      (tasks) => tasks.length <= 6,
    );
    await create('--name', 'once', '--restart-condition', 'none', IMAGE, 'true');
    await until(
      () => tasksOf(node, 'once'),
      ([task]) => task?.Status.State === 'complete',
    );
    await create(
      '--name',
      'thrice',
      '--restart-max-attempts',
      '2',
      '--restart-delay',
      '10ms',
      IMAGE,
      'false',
    );
    await until(
      () => tasksOf(node, 'thrice'),
      (tasks) => tasks.length === 3 && tasks.every(({ Status }) => Status.State === 'failed'),
    );
  });

  it('reject a task whose image is missing, with the reason', async () => {
    await create('--name', 'ghost', '--restart-delay', '200ms', '127.0.0.1:9/none:1');
    const [task] = await until(
      async () =>
        (await tasksOf(node, 'ghost')).filter(({ Status }) => Status.State === 'rejected'),
      (tasks) => tasks.length >= 2,
    );
    expect(task?.Status.Err).toContain('No such image: 127.0.0.1:9/none:1');
    expect(await node.docker('service', 'ps', '--no-trunc', 'ghost')).toContain('No such image');
  });

  it('wait for health, and replace the unhealthy', async () => {
    const health = [
      '--health-interval',
      '100ms',
      '--health-retries',
      '2',
      '--health-timeout',
      '1s',
    ];
    await create(
      '--name',
      'well',
      ...health,
      '--health-cmd',
      'test -f /tmp/ok',
      '--health-start-period',
      '10s',
      '--restart-delay',
      '100ms',
      IMAGE,
      'sh',
      '-c',
      'sleep 1; touch /tmp/ok; sleep 1000',
    );
    await until(
      () => tasksOf(node, 'well'),
      ([task]) => task?.Status.State === 'starting',
    );
    const [task] = await running(node, 'well', 1);
    const container = task?.Status.ContainerStatus?.ContainerID ?? '';
    expect(await node.docker('inspect', container, '-f', '{{.State.Health.Status}}')).toBe(
      'healthy',
    );
    expect(await node.docker('ps')).toContain('(healthy)');
    await node.docker('exec', container, 'rm', '/tmp/ok');
    const failed = await until(
      async () => (await tasksOf(node, 'well')).find(({ ID }) => ID === task?.ID),
      (now) => now?.Status.State === 'failed',
    );
    expect(failed?.Status.Err).toContain('unhealthy container');
    expect((await running(node, 'well', 1))[0]?.ID).not.toBe(task?.ID);
  });

  it('fill in templates', async () => {
    await create(
      '--name',
      'tpl',
      '--hostname',
      '{{.Service.Name}}-{{.Task.Slot}}',
      '-e',
      'NODE={{.Node.Hostname}}',
      '-e',
      'ID={{.Task.ID}}',
      IMAGE,
    );
    const [task] = await running(node, 'tpl', 1);
    const id = task?.Status.ContainerStatus?.ContainerID ?? '';
    expect(await node.docker('exec', id, 'hostname')).toBe('tpl-1');
    const host = await node.docker('node', 'inspect', 'self', '-f', '{{.Description.Hostname}}');
    expect(await node.docker('exec', id, 'env')).toContain(`NODE=${host}`);
    expect(await node.docker('exec', id, 'env')).toContain(`ID=${task?.ID}`);
  });

  it('mount binds, volumes and tmpfs, and keep the root read-only', async () => {
    const shared = join(node.directory, 'shared');
    mkdirSync(shared);
    writeFileSync(join(shared, 'greeting'), 'hello');
    await create(
      '--name',
      'disk',
      '--read-only',
      '--mount',
      `type=bind,src=${shared},dst=/shared,readonly`,
      '--mount',
      'type=volume,src=data,dst=/data',
      '--mount',
      'type=tmpfs,dst=/scratch,tmpfs-size=1048576',
      IMAGE,
      'sleep',
      '1000',
    );
    const id = await containerOf(node, 'disk');
    expect(await node.docker('exec', id, 'cat', '/shared/greeting')).toBe('hello');
    await node.docker('exec', id, 'sh', '-c', 'echo kept > /data/file; echo x > /scratch/file');
    expect(await node.dockerFails('exec', id, 'touch', '/file')).toContain('Read-only file system');
    expect(await node.dockerFails('exec', id, 'touch', '/shared/file')).toContain('Read-only');
    expect(await node.docker('volume', 'ls', '-q')).toBe('data');
    expect(await node.dockerFails('volume', 'rm', 'data')).toContain('volume is in use');
    await node.docker('service', 'update', '-d', '--force', 'disk');
    await until(
      () => containerOf(node, 'disk'),
      (now) => now !== id,
    );
    expect(await node.docker('exec', await containerOf(node, 'disk'), 'cat', '/data/file')).toBe(
      'kept',
    );
  });

  it('reject a bind whose source is missing', async () => {
    await create(
      '--name',
      'bad',
      '--mount',
      'type=bind,src=/no/such/path,dst=/x',
      '--restart-condition',
      'none',
      IMAGE,
    );
    const [task] = await until(
      () => tasksOf(node, 'bad'),
      ([first]) => first?.Status.State === 'rejected',
    );
    expect(task?.Status.Err).toContain(
      'invalid mount config for type "bind": bind source path does not exist: /no/such/path',
    );
  });

  it('run with user, workdir, groups, args, entrypoint, hosts, init, sysctls and limits', async () => {
    await create(
      '--name',
      'all',
      '--user',
      'nobody',
      '--workdir',
      '/tmp',
      '--entrypoint',
      'sh -c',
      '--host',
      'db:10.1.2.3',
      '--init',
      '--limit-cpu',
      '0.5',
      '--limit-memory',
      '32M',
      '--limit-pids',
      '50',
      '--reserve-memory',
      '16M',
      '--stop-signal',
      'SIGINT',
      '--stop-grace-period',
      '1s',
      '--group',
      '1234',
      '--ulimit',
      'nofile=512:1024',
      '--cap-drop',
      'CAP_NET_RAW',
      '--dns',
      '9.9.9.9',
      IMAGE,
      'sleep 1000',
    );
    const id = await containerOf(node, 'all');
    const shell = (command: string) => node.docker('exec', id, 'sh', '-c', command);
    expect(await shell('id')).toMatch(/uid=65534\(nobody\).*1234/);
    expect(await shell('pwd')).toBe('/tmp');
    expect(await shell('cat /etc/hosts')).toMatch(/10\.1\.2\.3\s+db/);
    expect(await shell('cat /etc/resolv.conf')).toContain('nameserver 9.9.9.9');
    // Not by exec's own limits: runc before 1.1.13 may set those before its Go runtime changes them
    // (runc issue 4195).
    expect(await shell('grep "open files" /proc/1/limits')).toMatch(/\s512\s+1024\s/);
    const [inspected] = JSON.parse(await node.docker('inspect', id));
    expect(inspected.HostConfig).toMatchObject({
      NanoCpus: 5e8,
      Memory: 2 ** 25,
      PidsLimit: 50,
      Init: true,
    });
    expect(inspected.Config.StopSignal).toBe('SIGINT');
    expect(await shell('cat /proc/1/comm')).toMatch(/docker-init|tini/);
  });

  it('show logs, with stamps, tails and follow', async () => {
    const count = 'for i in 1 2 3 4 5; do echo line $i; done; echo oops >&2; sleep 1000';
    await create('--name', 'talk', '--replicas', '2', IMAGE, 'sh', '-c', count);
    await running(node, 'talk', 2);
    const logs = await until(
      () => node.docker('service', 'logs', 'talk'),
      (text) => (text.match(/line 5/g) ?? []).length === 2,
    );
    expect(logs).toMatch(/talk\.[12]\.[0-9a-z]{12}@\S+ +\| line 1/);
    expect(
      (await node.docker('service', 'logs', '--raw', '--tail', '1', 'talk')).split('\n').length,
    ).toBeLessThanOrEqual(4);
    expect(await node.docker('service', 'logs', '-t', 'talk')).toMatch(
      /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z talk\./,
    );
    const [task] = await tasksOf(node, 'talk');
    expect(await node.docker('service', 'logs', '--raw', task?.ID ?? '')).toContain(
      'line 1\nline 2',
    );
    const followed = await node.dockerResult(['service', 'logs', '-f', '--raw', 'talk'], {
      timeoutMs: 1500,
    });
    expect(followed.stdout.match(/line 5/g)).toHaveLength(2);
  });

  it('refuse what Docker refuses, in its words', async () => {
    await create('--name', 'web', '-p', '8090:80', IMAGE);
    const fails = (...args: string[]) => node.dockerFails('service', ...args);
    expect(await fails('create', '--no-resolve-image', '--name', 'web', IMAGE)).toContain(
      'rpc error: code = AlreadyExists desc = name conflicts with an existing object: service web already exists',
    );
    expect(await fails('create', '--no-resolve-image', '--name', 'b a d', IMAGE)).toContain(
      'name must be valid as a DNS name component',
    );
    expect(
      await fails('create', '--no-resolve-image', '--name', 'two', '-p', '8090:80', IMAGE),
    ).toContain("port '8090' is already in use by service 'web'");
    expect(await fails('create', '--no-resolve-image', '--limit-cpu', '0.0001', IMAGE)).toContain(
      'Must be at least 0.001',
    );
    expect(await fails('create', '--no-resolve-image', '--limit-memory', '1M', IMAGE)).toContain(
      'Must be at least 4MiB',
    );
    expect(await fails('inspect', 'nope')).toContain('no such service: nope');
    expect(await fails('rm', 'nope')).toContain('service nope not found');
    expect(await fails('ps', 'nope')).toContain('no such service: nope');
    expect(await fails('rollback', '-d', 'web')).toContain('does not have a previous spec');
    const { ID, Version, Spec } = await node.get<{
      ID: string;
      Version: { Index: number };
      Spec: object;
    }>('/services/web');
    const stale = await node.request(
      'POST',
      `/services/${ID}/update?version=${Version.Index - 1}`,
      JSON.stringify(Spec),
    );
    expect([stale.status, JSON.parse(stale.body).message]).toEqual([
      500,
      'rpc error: code = Unknown desc = update out of sequence',
    ]);
    expect((await node.request('POST', '/services/create', '{"Name":')).status).toBe(400);
    expect((await node.request('POST', `/services/${ID}/update?version=x`, '{}')).status).toBe(400);
  });

  it('stay pending with the reason when nothing can run them', async () => {
    await create('--name', 'huge', '--reserve-memory', '1000G', IMAGE);
    const [task] = await until(
      () => tasksOf(node, 'huge'),
      ([first]) => (first?.Status.Err ?? '') !== '',
    );
    expect(task?.Status.State).toBe('pending');
    expect(task?.Status.Err).toMatch(/^no suitable node \(insufficient resources on 1 node\)/);
  });

  it('of a stack are removed and deployed again at once, ten times in a row', async () => {
    const file = join(node.directory, 'stack.yml');
    writeFileSync(file, STACK);
    const flags = ['--resolve-image', 'never', '-c', file];
    const deploy = (detach: boolean) =>
      node.docker('stack', 'deploy', `--detach=${detach}`, ...flags, 'again');
    for (let time = 0; time < 10; time++) {
      await deploy(true);
      await node.docker('stack', 'rm', 'again');
    }
    expect(await deploy(false)).toMatch(/verify: Service \S+ converged/);
    expect(await node.fetchFromOutside(8080)).toMatch(/^Hello/);
    expect(await node.docker('stack', 'rm', '--detach=false', 'again')).toMatch(
      /^Removing service/,
    );
  });
});
