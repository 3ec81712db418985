import { Images, type ProgressMessage, type RegistryAuth, RegistryError } from '@skep/containers';
import { RealClock, RealRandom, silentLogger } from '@skep/platform';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startContainerd, type TestContainerd } from './support/containerd.js';
import { type BuiltImage, buildImage, registryImage, sha256 } from './support/image.js';
import { freePort, TestRegistry, USER } from './support/registry.js';
import { IDENTITY_TOKEN, TokenServer } from './support/token-server.js';

let test: TestContainerd;
let tokens: TokenServer;
let open: TestRegistry;
let locked: TestRegistry;
let tokened: TestRegistry;
let images: Images;

beforeAll(async () => {
  test = await startContainerd('image-pull');
  tokens = await TokenServer.start(USER);
  open = await TestRegistry.start();
  locked = await TestRegistry.start('htpasswd');
  tokened = await TestRegistry.start(tokens);
});
afterAll(async () => {
  await Promise.all([open, locked, tokened, tokens, test].map((part) => part?.dispose()));
});

beforeEach(async () => {
  const clock = new RealClock();
  const { containerd } = test;
  images = new Images({ containerd, clock, random: new RealRandom(), logger: silentLogger });
  await images.start();
});

afterEach(async () => {
  images.close();
  for (const { name } of await test.containerd.images.list()) {
    await test.containerd.images.delete(name, { sync: true });
  }
});

async function pull(
  reference: string,
  options: { auth?: RegistryAuth; platform?: string; signal?: AbortSignal } = {},
): Promise<ProgressMessage[]> {
  const messages: ProgressMessage[] = [];
  for await (const message of images.pull(reference, options)) messages.push(message);
  return messages;
}

const short = (digest: string) => digest.slice('sha256:'.length, 'sha256:'.length + 12);

async function pushed(
  registry: TestRegistry,
  repository: string,
  tag: string,
  format: 'docker' | 'oci' = 'docker',
): Promise<{ image: BuiltImage; layers: string[]; digest: string }> {
  const files = { '/name': `${repository}:${tag}` };
  const image = await buildImage({ name: `${registry.host}/${repository}:${tag}`, files });
  const stored = registryImage(image, format);
  await registry.push(stored, repository, tag);
  const layers = [...stored.blobs.keys()].slice(1).map(short);
  return { image, layers, digest: stored.manifest.digest };
}

async function expectUsable(image: BuiltImage, reference: string): Promise<void> {
  const resolved = await images.resolve(reference);
  expect(resolved.id).toBe(image.id);
  expect((await test.containerd.snapshots.stat(resolved.chainId)).kind).toBe('committed');
}

describe('pull from an open registry', () => {
  it.each(['docker', 'oci'] as const)('fetches an image in %s form', async (format) => {
    const { image, digest } = await pushed(open, `form/${format}`, 'v1', format);
    const reference = `${open.host}/form/${format}:v1`;
    const messages = await pull(reference);
    expect(messages[0]).toEqual({ status: `Pulling from form/${format}`, id: 'v1' });
    expect(messages.slice(-2)).toEqual([
      { status: `Digest: ${digest}` },
      { status: `Status: Downloaded newer image for ${reference}` },
    ]);
    await expectUsable(image, reference);
    await expectUsable(image, `${open.host}/form/${format}@${digest}`);
  });

  it('tells of each layer in the words of Docker', async () => {
    const { layers } = await pushed(open, 'words', 'v1');
    const messages = await pull(`${open.host}/words:v1`);
    for (const layer of layers) {
      const states = messages.filter(({ id }) => id === layer).map(({ status }) => status);
      expect([...new Set(states)].filter((state) => state !== 'Waiting')).toEqual([
        'Pulling fs layer',
        'Downloading',
        'Verifying Checksum',
        'Download complete',
        'Extracting',
        'Pull complete',
      ]);
    }
    const bar = messages.find(({ status }) => status === 'Downloading');
    expect(bar?.progress).toMatch(/^\[=*> *\] +[\d.]+k?M?B\/[\d.]+k?M?B$/);
  });

  it('says that an image is up to date, and which layers are here', async () => {
    const { digest } = await pushed(open, 'again', 'v1');
    const reference = `${open.host}/again:v1`;
    await pull(reference);
    expect(await pull(reference)).toEqual([
      { status: 'Pulling from again', id: 'v1' },
      { status: `Digest: ${digest}` },
      { status: `Status: Image is up to date for ${reference}` },
    ]);
    const other = await pushed(open, 'again', 'v2');
    const messages = await pull(`${open.host}/again:v2`);
    expect(messages[1]).toMatchObject({ id: other.layers[0], status: 'Already exists' });
    expect(messages[2]).toMatchObject({ id: other.layers[1], status: 'Pulling fs layer' });
  });

  it('moves a tag to what it means now, and keeps the old image without one', async () => {
    const before = await pushed(open, 'moving', 'latest');
    await pull(`${open.host}/moving`);
    const image = await buildImage({ files: { '/new': 'yes' } });
    await open.push(registryImage(image, 'oci'), 'moving', 'latest');
    await pull(`${open.host}/moving`);
    await expectUsable(image, `${open.host}/moving:latest`);
    const list = await images.list({ all: true, filters: {}, digests: true, sharedSize: false });
    const old = list.find(({ Id }) => Id === before.image.id);
    expect(old?.RepoTags).toEqual([]);
    expect(old?.RepoDigests).toEqual([`${open.host}/moving@${before.digest}`]);
  });

  it("takes this host's image out of an index, or the one asked for", async () => {
    const here = await buildImage({ files: { '/arch': 'here' }, architecture: 'amd64' });
    const there = await buildImage({ files: { '/arch': 'there' }, architecture: 's390x' });
    const index = await open.pushIndex('many', 'v1', [
      { image: registryImage(there, 'oci'), architecture: 's390x' },
      { image: registryImage(here, 'oci'), architecture: 'amd64' },
    ]);
    const reference = `${open.host}/many:v1`;
    const messages = await pull(reference, { platform: 'linux/amd64' });
    expect(messages.at(-2)).toEqual({ status: `Digest: ${index}` });
    await expectUsable(here, reference);
    await pull(reference, { platform: 'linux/s390x' });
    await expectUsable(there, reference);
    await expect(pull(reference, { platform: 'linux/riscv64' })).rejects.toThrow(
      'no matching manifest for linux/riscv64 in the manifest list entries',
    );
  });

  it('shares one download among those who pull the same at once', async () => {
    const { image } = await pushed(open, 'shared', 'v1');
    const reference = `${open.host}/shared:v1`;
    const all = await Promise.all([1, 2, 3, 4].map(() => pull(reference)));
    for (const messages of all) {
      expect(messages.at(-1)?.status).toBe(`Status: Downloaded newer image for ${reference}`);
    }
    await expectUsable(image, reference);
  });

  it('survives a collection of garbage', async () => {
    const { image } = await pushed(open, 'kept', 'v1');
    await pull(`${open.host}/kept:v1`);
    await test.containerd.leases.create('collect', { expireMs: 60_000 });
    await test.containerd.leases.delete('collect', { sync: true });
    await expectUsable(image, `${open.host}/kept:v1`);
    expect(await test.containerd.content.list()).toHaveLength(4);
  });

  it('answers what a name means at the registry without storing anything', async () => {
    const { digest } = await pushed(open, 'asked', 'v1');
    const answer = await images.distribution(`${open.host}/asked:v1`);
    expect(answer.Descriptor.digest).toBe(digest);
    expect(answer.Platforms).toEqual([{ architecture: 'amd64', os: 'linux' }]);
    expect(await test.containerd.content.list()).toEqual([]);
  });

  it('fails for what is not there, leaving nothing', async () => {
    await pushed(open, 'there', 'v1');
    await expect(pull(`${open.host}/there:v2`)).rejects.toThrow(
      `manifest for ${open.host}/there:v2 not found: manifest unknown: manifest unknown`,
    );
    expect(await test.containerd.leases.list()).toEqual([]);
    expect(await test.containerd.images.list()).toEqual([]);
  });

  it('refuses a layer that is not what the manifest says', async () => {
    const image = await buildImage({ files: { '/a': 'a' } });
    const stored = registryImage(image, 'docker');
    const lie = { ...JSON.parse(stored.manifest.data.toString()) };
    const other = Buffer.from('neither gzip nor tar');
    await open.pushBlob('lying', sha256(other), other);
    lie.layers[1] = { ...lie.layers[1], digest: sha256(other), size: other.length };
    const data = Buffer.from(JSON.stringify(lie));
    for (const [digest, blob] of stored.blobs) await open.pushBlob('lying', digest, blob);
    await open.pushManifest('lying', 'v1', { mediaType: stored.manifest.mediaType, data });
    await expect(pull(`${open.host}/lying:v1`)).rejects.toThrow();
    expect(await test.containerd.images.list()).toEqual([]);
    expect(await test.containerd.leases.list()).toEqual([]);
  });
});

describe('pull from a registry that cannot be reached', () => {
  it('says so as Docker does, and of which kind it is', async () => {
    const port = await freePort();
    const failure = await pull(`127.0.0.1:${port}/x`).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RegistryError);
    expect((failure as RegistryError).kind).toBe('unreachable');
    expect((failure as Error).message).toBe(
      `Get "http://127.0.0.1:${port}/v2/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
    );
  });

  it('works again when it is back', async () => {
    const { image } = await pushed(open, 'back', 'v1');
    await open.stop();
    await expect(pull(`${open.host}/back:v1`)).rejects.toThrow('connection refused');
    await open.resume();
    await pull(`${open.host}/back:v1`);
    await expectUsable(image, `${open.host}/back:v1`);
  });
});

describe('pull with basic authentication', () => {
  it('works with the right password', async () => {
    const { image } = await pushed(locked, 'mine', 'v1');
    await pull(`${locked.host}/mine:v1`, { auth: USER });
    await expectUsable(image, `${locked.host}/mine:v1`);
  });

  it('fails without credentials and with wrong ones', async () => {
    await pushed(locked, 'mine', 'v2');
    const reference = `${locked.host}/mine:v2`;
    await expect(pull(reference)).rejects.toThrow(/no basic auth credentials$/);
    const wrong = { ...USER, password: 'guess' };
    const failure = await pull(reference, { auth: wrong }).catch((error: unknown) => error);
    expect((failure as RegistryError).kind).toBe('unauthorized');
    expect((failure as Error).message).toMatch(/unauthorized: authentication required/);
  });

  it('logs in, or says that it cannot', async () => {
    const serveraddress = locked.host;
    const success = { Status: 'Login Succeeded', IdentityToken: '' };
    expect(await images.login({ ...USER, serveraddress })).toEqual(success);
    await expect(images.login({ ...USER, password: 'guess', serveraddress })).rejects.toThrow(
      `login attempt to http://${locked.host}/v2/ failed with status: 401 Unauthorized`,
    );
  });
});

describe('pull with token authentication', () => {
  it('asks the token server once for a repository', async () => {
    const { image } = await pushed(tokened, 'team/app', 'v1');
    tokens.asked.length = 0;
    await pull(`${tokened.host}/team/app:v1`, { auth: USER });
    await expectUsable(image, `${tokened.host}/team/app:v1`);
    expect(tokens.asked).toEqual(['repository:team/app:pull']);
  });

  it('takes an identity token for the password', async () => {
    const { image } = await pushed(tokened, 'team/app', 'v2');
    const serveraddress = tokened.host;
    const { IdentityToken } = await images.login({ ...USER, serveraddress });
    expect(IdentityToken).toBe(IDENTITY_TOKEN);
    await pull(`${tokened.host}/team/app:v2`, { auth: { identitytoken: IdentityToken } });
    await expectUsable(image, `${tokened.host}/team/app:v2`);
  });

  it('says that access is denied to who shows no credentials', async () => {
    await pushed(tokened, 'team/app', 'v3');
    const reference = `${tokened.host}/team/app:v3`;
    await expect(pull(reference)).rejects.toThrow(
      `pull access denied for ${tokened.host}/team/app, repository does not exist or may require ` +
        "'docker login': denied: requested access to the resource is denied",
    );
  });

  it('says that the password is wrong', async () => {
    await pushed(tokened, 'team/app', 'v4');
    const auth = { ...USER, password: 'guess' };
    await expect(pull(`${tokened.host}/team/app:v4`, { auth })).rejects.toThrow(
      /unauthorized: incorrect username or password/,
    );
  });
});
