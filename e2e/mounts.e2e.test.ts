import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { until } from './support/exec.ts';
import { OwnMounts } from './support/own-mounts.ts';
import { IMAGE } from './support/sample.ts';
import { containerOf, running, startNode, tasksOf } from './support/swarm.ts';
import { VolumePlugin } from './support/volume-plugin.ts';

let node: TestDaemon;
let mounts: OwnMounts;
let directory: string;
const plugin = new VolumePlugin();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'skep-mounts-'));
  mounts = await OwnMounts.start(plugin.sockets);
  await plugin.start(mounts);
  const flags = ['--allow-service-device', '/dev/fuse', '--allow-privileged-services'];
  node = await startNode({ flags, within: mounts.within });
});

afterAll(async () => {
  await node?.cleanUp();
  await mounts?.end();
  await plugin.cleanUp();
  rmSync(directory, { recursive: true, force: true });
});

const create = (...args: string[]) =>
  node.docker('service', 'create', '-d', '-q', '--no-resolve-image', ...args);
const run = (...args: string[]) => node.docker('run', '--rm', ...args);

describe('devices', () => {
  it('are given to containers, with no more access than asked for', async () => {
    const script = 'test -c /dev/f; : < /dev/f && echo read; (: > /dev/f) || echo not written';
    const seen = await run('--device', '/dev/fuse:/dev/f:r', IMAGE, 'sh', '-c', script);
    expect(seen).toBe('read\nnot written');
    const make = 'mknod /tmp/f c 10 229; : < /tmp/f && echo opened';
    expect(await run('--device-cgroup-rule', 'c 10:229 rw', IMAGE, 'sh', '-c', make)).toBe(
      'opened',
    );
    expect(await node.dockerFails('run', '--rm', IMAGE, 'sh', '-c', make)).toContain(
      'Operation not permitted',
    );
    expect(await run('--device', '/dev/net', IMAGE, 'ls', '/dev/net')).toContain('tun');
    const missing = await node.dockerFails('run', '--rm', '--device', '/dev/nope', IMAGE, 'true');
    expect(missing).toContain(
      'error gathering device information while adding custom device "/dev/nope": no such file',
    );
  });

  it('are given to services where the node allows it, privileges as well', async () => {
    const fuse = ['--label', 'skep.devices=/dev/fuse:rw'];
    await create('--name', 'fuse', ...fuse, IMAGE, 'sh', '-c', ': < /dev/fuse && sleep 1000');
    await create('--name', 'kvm', '--label', 'skep.devices=/dev/kvm', IMAGE);
    const mount = 'mount -t tmpfs x /tmp && sleep 1000';
    await create('--name', 'all', '--label', 'skep.privileged=true', IMAGE, 'sh', '-c', mount);
    await running(node, 'fuse', 1);
    await running(node, 'all', 1);
    const [waiting] = await until(
      () => tasksOf(node, 'kvm'),
      ([task]) => task?.Status.Err !== undefined,
    );
    expect(waiting?.Status.Err).toContain('devices not allowed on 1 node');
    expect(await node.docker('info')).toMatch(/service-device\n +Profile: \/dev\/fuse/);
    await node.docker('service', 'rm', 'fuse', 'kvm', 'all');
  });
});

describe('mounts', () => {
  it('follow the host where they are to, and are refused where it does not share', async () => {
    const shared = join(directory, 'shared');
    mkdirSync(shared);
    const bind = `type=bind,target=/s,source=${shared},bind-propagation=`;
    expect(await node.dockerFails('run', '--rm', '--mount', `${bind}rslave`, IMAGE)).toContain(
      `path ${shared} is mounted on / but it is not a shared or slave mount`,
    );
    await mounts.run('mount', '-t', 'tmpfs', 'tmpfs', shared);
    await mounts.run('mount', '--make-shared', shared);
    await mounts.run('mkdir', join(shared, 'in'));
    const both = ['--mount', `${bind}rslave`, '--mount', `${bind}rprivate`.replace('=/s', '=/p')];
    await create('--name', 'follow', ...both, IMAGE, 'sleep', '1000');
    const id = await containerOf(node, 'follow');
    await mounts.run('mount', '-t', 'tmpfs', 'tmpfs', join(shared, 'in'));
    await mounts.run('touch', join(shared, 'in/file'));
    expect(await node.docker('exec', id, 'ls', '/s/in')).toBe('file');
    expect(await node.docker('exec', id, 'ls', '/p/in')).toBe('');
    await node.docker('service', 'rm', 'follow');
    const readOnly = `${bind}rprivate,readonly,bind-recursive=`;
    const write = (recursive: string) =>
      node.dockerResult([
        'run',
        '--rm',
        '--mount',
        readOnly + recursive,
        IMAGE,
        'touch',
        '/s/in/x',
      ]);
    expect((await write('readonly')).stderr).toContain('Read-only file system');
    expect(await write('writable')).toMatchObject({ code: 0 });
  });

  it('take what other images have, parts of volumes, and memory', async () => {
    const image = `type=image,source=${IMAGE},target=/image`;
    const script = 'touch /image/x && ls /image | grep -cx -e bin -e x';
    expect(await run('--mount', image, IMAGE, 'sh', '-c', script)).toBe('2');
    const part = `${image},image-subpath=bin,readonly`;
    expect(
      await run('--mount', part, IMAGE, 'sh', '-c', 'ls /image/sh; touch /image/x || true'),
    ).toBe('/image/sh');
    await run('-v', 'whole:/v', IMAGE, 'sh', '-c', 'mkdir -p /v/a/b && echo deep > /v/a/b/c');
    const seen = await run(
      ...['--mount', 'type=volume,source=whole,target=/b,volume-subpath=a/b'],
      ...['--mount', 'type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1700'],
      ...[IMAGE, 'sh', '-c', 'cat /b/c; stat -c %a /t; df -k /t | tail -1'],
    );
    expect(seen).toMatch(/^deep\n1700\n.* 1024 /);
    await node.docker('create', '--name', 'source', '-v', 'whole:/v', IMAGE);
    const from = ['--volumes-from', 'source:ro', IMAGE];
    expect(await run(...from, 'sh', '-c', 'cat /v/a/b/c; touch /v/x || true')).toBe('deep');
    await node.docker('rm', 'source');
  });
});

describe('volumes of the local driver', () => {
  const options = (type: string, device: string, o: string) =>
    [`type=${type}`, `device=${device}`, `o=${o}`].flatMap((option) => ['--opt', option]);

  it('mount the file system they are made with, as long as somebody uses them', async () => {
    await node.docker('volume', 'create', ...options('tmpfs', 'tmpfs', 'size=1m,uid=7'), 'memory');
    await node.docker('run', '-d', '--name', 'user', '-v', 'memory:/m', IMAGE, 'sleep', '1000');
    const show = 'df -k /m | tail -1; stat -c %u /m; touch /m/x';
    expect(await run('-v', 'memory:/m', IMAGE, 'sh', '-c', show)).toMatch(/ 1024 .*\n7$/);
    expect(mounts.has('/volumes/memory/_data')).toBe(true);
    expect(await node.docker('exec', 'user', 'ls', '/m')).toBe('x');
    await node.docker('rm', '-f', 'user');
    expect(mounts.has('/volumes/memory/_data')).toBe(false);
    await node.docker('volume', 'create', ...options('none', directory, 'bind'), 'bound');
    await run('-v', 'bound:/b', IMAGE, 'touch', '/b/from-container');
    expect(readFileSync(join(directory, 'from-container'), 'utf8')).toBe('');
    await node.docker('volume', 'rm', 'bound', 'memory');
  });

  it('say why one cannot be mounted', async () => {
    const nfs = options('nfs', ':/export', 'addr=127.0.0.1,soft,timeo=1,retrans=1');
    await node.docker('volume', 'create', ...nfs, 'remote');
    const failure = await node.dockerFails('run', '--rm', '-v', 'remote:/r', IMAGE, 'true');
    expect(failure).toMatch(
      /failed to mount local volume: mount :.export:.*, data: addr=.*: (unknown filesystem|refused|timed)/,
    );
    expect(await node.docker('volume', 'prune', '-af')).not.toContain('remote');
    await node.docker('volume', 'rm', 'remote');
    expect(await node.dockerFails('volume', 'create', '--opt', 'size=1m', 'small')).toContain(
      'create small: quota size requested but no quota support',
    );
  });
});

describe('volumes of a plugin', () => {
  const users = (volume: string) => plugin.users.get(volume)?.size ?? -1;

  it('are made for services and mounted once for each task, also over kill -9', async () => {
    const mount = `type=volume,source=data-{{.Task.Slot}},target=/d,volume-driver=${plugin.name}`;
    const more = 'volume-opt=tier={{.Service.Name}},volume-label=of={{.Node.Hostname}}';
    const command = ['sh', '-c', 'echo kept > /d/file; sleep 1000'];
    await create('--name', 'store', '--mount', `${mount},${more}`, IMAGE, ...command);
    const id = await containerOf(node, 'store');
    const [volume] = JSON.parse(await node.docker('volume', 'inspect', 'data-1'));
    expect(volume).toMatchObject({
      Driver: plugin.name,
      Options: { tier: 'store' },
      Scope: 'global',
    });
    expect(users('data-1')).toBe(1);
    expect(await node.dockerFails('volume', 'rm', 'data-1')).toContain('volume is in use');
    await node.docker('volume', 'create', '-d', plugin.name, 'left');
    await node.docker('run', '-d', '--name', 'short', '-v', 'left:/l', IMAGE, 'sleep', '1000');
    const pid = await node.docker('inspect', 'short', '-f', '{{.State.Pid}}');
    await node.end('SIGKILL');
    process.kill(Number(pid), 'SIGKILL');
    expect(users('left')).toBe(1);
    await node.start();
    await running(node, 'store', 1);
    await until(
      async () => users('left'), // of the container that ended while no daemon ran
      (count) => count === 0,
    );
    await node.docker('rm', 'short');
    expect(await node.docker('exec', id, 'cat', '/d/file')).toBe('kept');
    expect(users('data-1')).toBe(1);
    await node.docker('service', 'rm', 'store');
    await until(
      async () => users('data-1'),
      (count) => count === 0,
    );
    expect(await node.docker('volume', 'ls', '-q', '--filter', `driver=${plugin.name}`)).toContain(
      'data-1',
    );
    await until(
      () => node.dockerResult(['volume', 'rm', 'data-1']),
      ({ code }) => code === 0, // the task's container is removed a moment after its end
    );
    expect(users('data-1')).toBe(-1);
  });

  it('are for nodes alone that have the plugin', async () => {
    expect(await node.docker('info', '-f', '{{.Plugins.Volume}}')).toBe(`[local ${plugin.name}]`);
    await create('--name', 'lost', '--mount', 'source=x,target=/x,volume-driver=nope', IMAGE);
    const [waiting] = await until(
      () => tasksOf(node, 'lost'),
      ([task]) => task?.Status.Err !== undefined,
    );
    expect(waiting?.Status.Err).toContain('missing plugin on 1 node');
    await node.docker('service', 'rm', 'lost');
    expect(await node.dockerFails('volume', 'create', '-d', 'nope', 'x')).toContain(
      'create x: error looking up volume plugin nope: plugin "nope" not found',
    );
    const refused = ['volume', 'create', '-d', plugin.name, '--opt', 'fail=disk full', 'full'];
    expect(await node.dockerFails(...refused)).toContain('create full: disk full');
    await plugin.stop();
    expect(await node.docker('volume', 'ls', '-q')).toContain('left');
    await node.docker('volume', 'rm', '-f', 'left');
    expect(await node.docker('volume', 'ls', '-q')).not.toContain('left');
  });
});
