import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { exec, until } from './support/exec.ts';
import { IMAGE } from './support/sample.ts';
import { containerOf, running, startNode, tasksOf } from './support/swarm.ts';

let node: TestDaemon;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node?.cleanUp());
afterEach(async () => {
  await clear('service', 'rm');
  await until(
    () => node.docker('ps', '-aq'),
    (left) => left === '',
  );
  for (const kind of ['secret', 'config']) await clear(kind, 'rm');
});

async function clear(kind: string, command: string): Promise<void> {
  const ids = (await node.docker(kind, 'ls', '-q')).split('\n').filter(Boolean);
  if (ids.length > 0) await node.docker(kind, command, ...ids);
}

/** Makes a secret or config of a text; returns its id. */
async function make(kind: string, name: string, text: string, ...flags: string[]): Promise<string> {
  const args = [kind, 'create', ...flags, name, '-'];
  const { stdout, stderr } = await node.dockerResult(args, { input: text });
  expect(stderr).toBe('');
  return stdout.trim();
}

const create = (...args: string[]) =>
  node.docker('service', 'create', '-d', '--no-resolve-image', ...args, IMAGE);

/** Output of a command in the one container of a service with one task. */
async function inside(service: string, command: string): Promise<string> {
  return node.docker('exec', await containerOf(node, service), 'sh', '-c', command);
}

describe('secrets and configs', () => {
  it('are listed, shown and removed', async () => {
    const id = await make('secret', 'pw', 's3cret', '-l', 'tier=back');
    await make('config', 'conf', 'shown', '--template-driver', 'golang');
    const names = (...flags: string[]) =>
      node.docker('secret', 'ls', '--format', '{{.Name}} {{.Labels}}', ...flags);
    expect(await names('-f', 'name=p', '-f', 'label=tier=back')).toBe('pw tier=back');
    expect(await names('-f', `id=${id.slice(0, 9)}`)).toBe('pw tier=back');
    expect(await names('-f', 'label=tier=front')).toBe('');
    expect(await node.docker('secret', 'inspect', 'pw')).not.toMatch(/s3cret|Data/);
    expect(await node.docker('secret', 'inspect', '--pretty', id)).toMatch(/ - tier=back/);
    expect(await node.docker('config', 'inspect', '--pretty', 'conf')).toMatch(/Data:\nshown/);
    expect(await node.dockerFails('secret', 'create', 'pw', import.meta.filename)).toMatch(
      /secret pw already exists/,
    );
    expect(await node.dockerFails('secret', 'rm', 'nothing')).toMatch(/secret nothing not found/);
    await node.docker('secret', 'rm', 'pw');
    expect(await names()).toBe('');
  });

  it('are files in memory with owner and mode, worked out where they are templates', async () => {
    const text = 'plain text of a secret';
    await make('secret', 'pw', text);
    const template =
      '{{if eq (env "MODE") "prod"}}{{.Service.Name}} {{.Task.Slot}} {{secret "pw"}}{{end}}';
    await make('config', 'conf', template, '--template-driver', 'golang');
    await create(
      ...['--name', 'web', '--env', 'MODE=prod', '--hostname', '{{.Service.Name}}-{{.Task.Slot}}'],
      ...['--secret', 'pw', '--secret', 'source=pw,target=/abs/key,uid=7,gid=8,mode=0400'],
      ...['--config', 'source=conf,target=/etc/web.conf'],
    );
    expect(await inside('web', 'hostname; cat /run/secrets/pw /abs/key /etc/web.conf')).toBe(
      `web-1\n${text}${text}web 1 ${text}`,
    );
    expect(await inside('web', 'stat -c "%u %g %a" /abs/key; stat -c %a /run/secrets/pw')).toBe(
      '7 8 400\n444',
    );
    const mounted = await inside(
      'web',
      'grep -E "^tmpfs (/abs|/run/secrets|/etc/web)" /proc/mounts',
    );
    expect(mounted.split('\n')).toHaveLength(3);
    for (const shown of [
      await node.docker('inspect', await containerOf(node, 'web')),
      await node.docker('service', 'inspect', 'web'),
      await node.docker('config', 'inspect', 'conf'),
      node.log(),
    ]) {
      expect(shown).not.toContain(text);
    }
    // Everything on a disk: data of swarm and containerd, records, and what stands in /run beside memory.
    const base64 = Buffer.from(text).toString('base64').slice(0, 24);
    const disk = `find ${node.directory} -fstype tmpfs -prune -o -fstype overlay -prune -o -type f -print0`;
    const grep = `${disk} | xargs -0 grep -lFa -e '${text}' -e '${base64}'`;
    expect((await exec('sh', ['-c', grep])).stdout).toBe('');
  });

  it('come and go with updates of a service', async () => {
    await make('secret', 'old', 'old');
    await make('secret', 'new', 'new');
    await make('config', 'conf', 'x=1');
    await create('--name', 'web', '--secret', 'source=old,target=key');
    await running(node, 'web', 1);
    expect(await node.dockerFails('secret', 'rm', 'old')).toMatch(
      /secret 'old' is in use by the following service: web$/,
    );
    const swap = ['--secret-rm', 'old', '--secret-add', 'source=new,target=key'];
    await node.docker('service', 'update', '-d', ...swap, '--config-add', 'conf', 'web');
    const files = () => inside('web', 'cat /run/secrets/key /conf 2>&1; true').catch(() => '');
    await until(files, (text) => text === 'newx=1');
    await node.docker('service', 'update', '-d', '--config-rm', 'conf', 'web');
    await until(files, (text) => text.includes("can't open '/conf'"));
    await node.docker('config', 'rm', 'conf');
  });

  it('that cannot be worked out say so in the task', async () => {
    await make('config', 'bad', '{{secret "none"}}', '--template-driver', 'golang');
    await create('--name', 'web', '--restart-condition', 'none', '--config', 'bad');
    const [task] = await until(
      () => tasksOf(node, 'web'),
      ([task]) => task?.Status.State === 'rejected',
    );
    expect(task?.Status.Err).toBe('expanding config bad failed: secret target none not found');
  });
});

/** The newest client, and the one of Debian where it is installed. */
const NEWEST = 'docker';
const DEBIAN = existsSync('/usr/bin/docker') ? '/usr/bin/docker' : NEWEST;

const UPDATE = '{order: start-first, monitor: 500ms}';
const STACK = `
version: "3.8"
services:
  web:
    image: ${IMAGE}
    secrets: [{source: key, mode: 0400}]
    configs: [{source: conf, target: /etc/web.conf}]
    deploy: {replicas: 2, update_config: ${UPDATE}, rollback_config: ${UPDATE}}
secrets: {key: {file: ./key}}
configs: {conf: {file: ./conf}}
`;

/** Deploys the stack `app` with files that say which version they are of. */
async function deploy(client: string, version: string): Promise<void> {
  const directory = join(node.directory, 'stack');
  mkdirSync(directory, { recursive: true });
  const files = { 'stack.yml': STACK, key: `key ${version} `, conf: `conf ${version}` };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  const command = ['stack', 'deploy', '--resolve-image', 'never', '-c', 'stack.yml', 'app'];
  const run = `cd ${directory} && exec ${client} -H unix://${node.socket} ${command.join(' ')}`;
  const { code, stderr } = await exec('sh', ['-c', run]);
  expect(code, stderr).toBe(0);
}

/** Waits until both tasks of the stack have files of this version. */
async function untilAll(version: string): Promise<void> {
  const read = ['sh', '-c', 'cat /run/secrets/key /etc/web.conf'];
  await until(
    async () => {
      const ids = (await running(node, 'app_web', 2)).map(
        ({ Status }) => Status.ContainerStatus?.ContainerID ?? '',
      );
      return Promise.all(ids.map((id) => node.docker('exec', id, ...read).catch(() => '')));
    },
    (texts) => texts.every((text) => text === `key ${version} conf ${version}`),
  );
}

async function updated(): Promise<void> {
  await until(
    () => node.docker('service', 'inspect', '-f', '{{.UpdateStatus.State}}', 'app_web'),
    (state) => state.endsWith('completed'),
  );
}

describe('docker stack deploy', () => {
  it('rolls services to changed files, and rollback brings the old ones back', async () => {
    await deploy(NEWEST, 'one');
    await untilAll('one');
    const id = await node.docker('secret', 'inspect', '-f', '{{.ID}}', 'app_key');
    await deploy(NEWEST, 'two');
    await untilAll('two');
    await updated();
    const format = '{{.Spec.Name}} {{index .Spec.Labels "skep.version"}}';
    expect(await node.docker('secret', 'inspect', '-f', format, id)).toBe('app_key 2');
    expect(await node.docker('secret', 'ls', '--format', '{{.Name}}')).toBe('app_key');

    await node.docker('service', 'rollback', '-d', 'app_web');
    await untilAll('one');
    await updated();
    await deploy(DEBIAN, 'three');
    await untilAll('three');
    await node.docker('stack', 'rm', 'app');
    expect(await node.docker('config', 'ls', '-q')).toBe('');
  });
});
