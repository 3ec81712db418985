import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NODE_ADDRESS, TestDaemon } from './support/daemon.ts';
import { until } from './support/exec.ts';
import { type BuiltImage, buildImage, registryImage } from './support/image.ts';
import { TestRegistry, USER } from './support/registry.ts';
import { running, tasksOf } from './support/swarm.ts';
import { TokenServer } from './support/token-server.ts';
import { Tunnel } from './support/tunnel.ts';

/** What the client puts before an error of the daemon. */
const SAID = 'Error response from daemon:';

let node: TestDaemon;
let tokens: TokenServer;
let open: TestRegistry;
let locked: TestRegistry;
let tokened: TestRegistry;
let tunnels: Tunnel[] = [];

const portOf = (url: string) => Number(/:(\d+)/.exec(url.replace(/^http:/, ''))?.[1]);
/** A registry as the node knows it: not on loopback, in plain HTTP. */
const hostOf = (registry: TestRegistry) => `${NODE_ADDRESS}:${portOf(registry.host)}`;

beforeAll(async () => {
  const flags = ['--insecure-registry', '192.0.2.0/24', '--image-gc-max-age', '4s'];
  node = new TestDaemon({ flags });
  await node.prepare();
  tokens = await TokenServer.start(USER);
  open = await TestRegistry.start();
  locked = await TestRegistry.start('htpasswd');
  tokened = await TestRegistry.start(tokens);
  const ports = [open.host, locked.host, tokened.host, tokens.registryConfig.realm].map(portOf);
  tunnels = await Promise.all(ports.map((port) => Tunnel.open(node.namespace, port)));
  await node.start();
});
afterAll(async () => {
  await Promise.all([open, locked, tokened, tokens].map((part) => part?.dispose()));
  await Promise.all(tunnels.map((tunnel) => tunnel.dispose()));
  await node?.cleanUp();
});

async function pushed(registry: TestRegistry, repository: string, tag: string, more = '') {
  const content = `${repository}:${tag} ${more}`;
  const image = await buildImage({
    files: { '/name': content },
    config: { Cmd: ['sleep', '1000'], StopSignal: 'SIGKILL' },
  });
  const stored = registryImage(image, 'docker');
  await registry.push(stored, repository, tag);
  return { image, digest: stored.manifest.digest };
}

const short = ({ id }: BuiltImage) => id.slice('sha256:'.length, 'sha256:'.length + 12);

describe('docker pull over plain HTTP', () => {
  it('needs --insecure-registry beyond loopback, and shows its progress', async () => {
    const { digest } = await pushed(open, 'plain', 'v1');
    const name = `${hostOf(open)}/plain:v1`;
    const lines = (await node.docker('pull', name)).split('\n');
    expect(lines[0]).toBe('v1: Pulling from plain');
    expect(lines.filter((line) => line.endsWith(': Pull complete'))).toHaveLength(2);
    expect(lines.slice(-3)).toEqual([
      `Digest: ${digest}`,
      `Status: Downloaded newer image for ${name}`,
      name,
    ]);
    expect((await node.docker('pull', name)).split('\n')).toEqual([
      'v1: Pulling from plain',
      `Digest: ${digest}`,
      `Status: Image is up to date for ${name}`,
      name,
    ]);
    expect(await node.docker('pull', '-q', name)).toBe(name);
  });

  it('takes loopback without any flag', async () => {
    await pushed(open, 'loopback', 'v1');
    expect(await node.docker('pull', '-q', `${open.host}/loopback:v1`)).toContain('/loopback:v1');
  });

  it('pulls by digest', async () => {
    const { image, digest } = await pushed(open, 'digest', 'v1');
    const name = `${hostOf(open)}/digest@${digest}`;
    const lines = (await node.docker('pull', name)).split('\n');
    expect(lines[0]).toBe(`${hostOf(open)}/digest@${digest}: Pulling from digest`);
    expect(await node.docker('image', 'inspect', name, '-f', '{{.Id}}')).toBe(image.id);
    expect(
      await node.docker(
        'images',
        '--digests',
        '--format',
        '{{.Tag}} {{.Digest}}',
        `${hostOf(open)}/digest`,
      ),
    ).toBe(`<none> ${digest}`);
  });

  it('goes on where it was when the registry drops the connection', async () => {
    const blob = randomBytes(24 * 1024 * 1024);
    const image = await buildImage({ files: { '/big': { content: blob } }, scratch: true });
    await open.push(registryImage(image, 'oci'), 'dropped', 'v1');
    const [tunnel] = tunnels;
    tunnel?.cutAfterBytes.push(8 * 1024 * 1024, 4 * 1024 * 1024);
    await node.docker('pull', `${hostOf(open)}/dropped:v1`);
    expect(tunnel?.cutAfterBytes).toEqual([]);
    expect(await node.docker('images', '-q', `${hostOf(open)}/dropped`)).toBe(short(image));
  });

  it('says in the words of Docker what is not there', async () => {
    await pushed(open, 'there', 'v1');
    expect(await node.dockerFails('pull', `${hostOf(open)}/there:v2`)).toBe(
      `${SAID} manifest for ${hostOf(open)}/there:v2 not found: ` +
        'manifest unknown: manifest unknown',
    );
    expect(await node.dockerFails('pull', `${NODE_ADDRESS}:1/x`)).toBe(
      `${SAID} Get "http://${NODE_ADDRESS}:1/v2/": ` +
        `dial tcp ${NODE_ADDRESS}:1: connect: connection refused`,
    );
    expect(await node.dockerFails('pull', 'team/UPPER')).toMatch(
      /invalid reference format: repository name .*must be lowercase/,
    );
  });
});

describe('docker login', () => {
  const login = (registry: TestRegistry, password: string) =>
    node.dockerResult(['login', '-u', USER.username, '--password-stdin', hostOf(registry)], {
      input: password,
    });
  afterEach(async () => {
    for (const registry of [locked, tokened]) await node.dockerResult(['logout', hostOf(registry)]);
  });

  it('opens a registry with basic authentication, and logout closes it', async () => {
    await pushed(locked, 'mine', 'v1');
    const name = `${hostOf(locked)}/mine:v1`;
    expect(await node.dockerFails('pull', name)).toMatch(/no basic auth credentials$/);
    expect((await login(locked, USER.password)).stdout).toContain('Login Succeeded');
    expect(await node.docker('pull', '-q', name)).toBe(name);
    await node.docker('logout', hostOf(locked));
    expect(await node.dockerFails('pull', name)).toMatch(/no basic auth credentials$/);
  });

  it('refuses a wrong password', async () => {
    const basic = await login(locked, 'guess');
    expect([basic.code, basic.stderr]).toEqual([
      1,
      expect.stringMatching(
        /login attempt to http:\/\/192\.0\.2\.10:\d+\/v2\/ failed with status: 401 Unauthorized/,
      ),
    ]);
    const token = await login(tokened, 'guess');
    expect([token.code, token.stderr]).toEqual([
      1,
      expect.stringContaining('unauthorized: incorrect username or password'),
    ]);
  });

  it('opens a registry with a token server', async () => {
    await pushed(tokened, 'team/app', 'v1');
    const name = `${hostOf(tokened)}/team/app:v1`;
    expect(await node.dockerFails('pull', name)).toContain(
      `pull access denied for ${hostOf(tokened)}/team/app, ` +
        "repository does not exist or may require 'docker login'",
    );
    expect((await login(tokened, USER.password)).stdout).toContain('Login Succeeded');
    expect(await node.docker('pull', '-q', name)).toBe(name);
  });
});

describe('images on the node', () => {
  it('are listed, inspected, told of and named', async () => {
    const { image } = await pushed(open, 'shown', 'v1');
    const name = `${hostOf(open)}/shown:v1`;
    await node.docker('pull', '-q', name);
    await node.docker('tag', name, 'team/shown');
    expect(await node.docker('images', '--format', '{{.ID}} {{.Tag}}', 'team/shown')).toBe(
      `${short(image)} latest`,
    );
    const inspected = await node.docker('image', 'inspect', 'team/shown');
    expect(JSON.parse(inspected)[0]).toMatchObject({
      Id: image.id,
      RepoTags: expect.arrayContaining([name, 'team/shown:latest']),
      Config: { Cmd: ['sleep', '1000'] },
      RootFS: { Type: 'layers', Layers: image.layers.map(({ diffId }) => diffId) },
    });
    expect(await node.docker('history', '--format', '{{.CreatedBy}}', 'team/shown')).toBe(
      'layer 1\nlayer 0',
    );
    expect(await node.docker('rmi', 'team/shown')).toBe('Untagged: team/shown:latest');
    expect(await node.dockerFails('image', 'inspect', 'team/shown')).toMatch(
      /No such image: team\/shown:latest/,
    );
  });

  it('are not removed while a container uses them', async () => {
    const { image } = await pushed(open, 'used', 'v1');
    const name = `${hostOf(open)}/used:v1`;
    const id = await node.docker('run', '-d', name);
    const using = `container ${id.slice(0, 12)} is using its referenced image ${short(image)}`;
    expect(await node.dockerFails('rmi', name)).toBe(
      `${SAID} conflict: unable to remove repository reference "${name}" (must force) - ${using}`,
    );
    expect(await node.dockerFails('rmi', '-f', short(image))).toContain(
      `conflict: unable to delete ${short(image)} (cannot be forced) - ` +
        `image is being used by running container ${id.slice(0, 12)}`,
    );
    await node.docker('rm', '-f', id);
    const lines = (await node.docker('rmi', name)).split('\n');
    expect(lines[0]).toBe(`Untagged: ${name}`);
    expect(lines).toContain(`Deleted: ${image.id}`);
    expect(await node.dockerFails('rmi', name)).toContain(`No such image: ${name}`);
  });

  it('are pruned once nothing names them', async () => {
    const before = await pushed(open, 'moving', 'v1');
    const name = `${hostOf(open)}/moving:v1`;
    await node.docker('pull', '-q', name);
    await pushed(open, 'moving', 'v1', 'newer');
    await node.docker('pull', '-q', name);
    expect(await node.docker('images', '-q', '-f', 'dangling=true')).toContain(short(before.image));
    const said = await node.docker('image', 'prune', '-f');
    expect(said).toContain(`deleted: ${before.image.id}`);
    expect(said).toMatch(/Total reclaimed space: [\d.]+k?B/);
    expect(await node.docker('images', '-q', '-f', 'dangling=true')).toBe('');
  });

  it('are not saved, pushed, imported or built, and the answer says so', async () => {
    const tries = [
      ['save', '-o', join(node.directory, 'x.tar'), 'x'],
      ['push', 'x'],
      ['search', 'x'],
    ];
    for (const args of tries) expect(await node.dockerFails(...args)).toContain('not supported');
  });
});

describe('services from a registry', () => {
  beforeAll(async () => {
    await node.docker('swarm', 'init', '--advertise-addr', NODE_ADDRESS);
  });
  afterEach(async () => {
    const ids = (await node.docker('service', 'ls', '-q')).split('\n').filter(Boolean);
    if (ids.length > 0) await node.docker('service', 'rm', ...ids);
  });
  const create = (name: string, image: string, ...args: string[]) =>
    node.docker('service', 'create', '-d', '--name', name, ...args, image);
  const rejected = (name: string) =>
    until(
      async () => (await tasksOf(node, name)).filter(({ Status }) => Status.State === 'rejected'),
      (tasks) => tasks.length > 0,
    );

  it('run the very image the tag meant when they were made', async () => {
    const { digest } = await pushed(open, 'pinned', 'v1');
    const name = `${open.host}/pinned:v1`;
    await create('pinned', name);
    await running(node, 'pinned', 1);
    const format = '{{.Spec.TaskTemplate.ContainerSpec.Image}}';
    expect(await node.docker('service', 'inspect', 'pinned', '-f', format)).toBe(
      `${name}@${digest}`,
    );
  });

  it('start at once from an image that is here though its registry is gone', async () => {
    await pushed(open, 'gone', 'v1');
    const name = `${open.host}/gone:v1`;
    await create('gone', name);
    await create('floating', name, '--no-resolve-image');
    await running(node, 'gone', 1);
    await running(node, 'floating', 1);
    await open.stop();
    try {
      for (const service of ['gone', 'floating']) {
        const beginMs = Date.now();
        await node.docker('service', 'scale', '-d', `${service}=6`);
        await running(node, service, 6);
        expect(Date.now() - beginMs).toBeLessThan(3_000);
        await node.docker(
          'service',
          'update',
          '-d',
          '--force',
          '--update-parallelism',
          '0',
          service,
        );
        await until(
          async () => (await tasksOf(node, service)).length,
          (count) => count === 12,
        );
        await running(node, service, 6);
      }
      expect(node.log().split('pulling image failed')).toHaveLength(2);
    } finally {
      await open.resume();
    }
  });

  it('tell why their image is missing, and try again by their policy', async () => {
    const name = `${open.host}/missing:v1`;
    await create('missing', name, '--restart-delay', '100ms', '--restart-max-attempts', '2');
    const tasks = await until(
      () => tasksOf(node, 'missing'),
      (all) => all.length === 3 && all.every(({ Status }) => Status.State === 'rejected'),
    );
    expect(tasks[0]?.Status.Err).toBe(`No such image: ${name}`);
    expect(await node.docker('service', 'ps', '--no-trunc', 'missing')).toContain(
      `"No such image: ${name}"`,
    );
  });

  it('come from a protected registry with --with-registry-auth alone', async () => {
    await pushed(locked, 'secret', 'v1');
    const name = `${hostOf(locked)}/secret:v1`;
    const login = ['login', '-u', USER.username, '--password-stdin', hostOf(locked)];
    await node.dockerResult(login, { input: USER.password });
    await create('without', name, '--restart-condition', 'none');
    const [refused] = await rejected('without');
    expect(refused?.Status.Err).toMatch(/No such image: \S+/);
    await create('with', name, '--with-registry-auth');
    await running(node, 'with', 1);
  });

  it('are not placed where their image does not run, and rejected where that shows late', async () => {
    const foreign = await buildImage({ architecture: 'arm64', files: { '/name': 'foreign' } });
    const image = registryImage(foreign, 'oci');
    await open.pushIndex('foreign', 'v1', [{ image, architecture: 'arm64' }]);
    const name = `${open.host}/foreign:v1`;
    await create('foreign', name);
    await until(
      () => node.docker('service', 'ps', '--no-trunc', 'foreign'),
      (shown) => shown.includes('"no suitable node (unsupported platform on 1 node)"'),
    );
    await create('late', name, '--no-resolve-image', '--restart-condition', 'none');
    const [refused] = await rejected('late');
    expect(refused?.Status.Err).toBe(`No such image: ${name}`);
  });

  it('leave no image behind that no service has, or had before its last update', async () => {
    const names: string[] = [];
    for (const tag of ['v1', 'v2', 'v3', 'users']) {
      await pushed(open, 'aged', tag);
      names.push(`${open.host}/aged:${tag}`);
    }
    const [first = '', second = '', third = '', users = ''] = names;
    await node.docker('pull', '-q', users);
    // Containers of tasks that ended keep their images for as long as they are there.
    await node.docker('swarm', 'update', '--task-history-limit', '1');
    await create('aged', first, '--no-resolve-image');
    for (const image of [second, third]) {
      await running(node, 'aged', 1);
      await node.docker('service', 'update', '-d', '--no-resolve-image', '--image', image, 'aged');
    }
    const tags = async () => {
      const format = ['--format', '{{.Repository}}:{{.Tag}}'];
      return (await node.docker('images', ...format, `${open.host}/aged`)).split('\n').toSorted();
    };
    expect(await until(tags, (left) => !left.includes(first))).toEqual([users, second, third]);
    await node.docker('service', 'rm', 'aged');
    expect(await until(tags, (left) => left.length === 1)).toEqual([users]);
  });
});
