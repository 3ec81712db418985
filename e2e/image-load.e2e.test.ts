import { gzipSync } from 'node:zlib';
import { Images, type ProgressMessage } from '@skep/containers';
import { RealClock, RealRandom, silentLogger } from '@skep/platform';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startContainerd, type TestContainerd } from './support/containerd.js';
import {
  type BuiltImage,
  buildImage,
  dockerArchive,
  makeTar,
  ociArchive,
} from './support/image.js';

let test: TestContainerd;
let images: Images;

beforeAll(async () => {
  test = await startContainerd('image-load');
});
afterAll(() => test?.dispose());

function engine(): Images {
  const { containerd } = test;
  return new Images({
    containerd,
    clock: new RealClock(),
    random: new RealRandom(),
    logger: silentLogger,
  });
}

beforeEach(async () => {
  images = engine();
  await images.start();
});

afterEach(async () => {
  images.close();
  for (const { name } of await test.containerd.images.list()) {
    await test.containerd.images.delete(name, { sync: true });
  }
});

async function load(archive: Uint8Array | Uint8Array[]): Promise<ProgressMessage[]> {
  async function* stream() {
    yield* Array.isArray(archive) ? archive : [archive];
  }
  const messages: ProgressMessage[] = [];
  for await (const message of images.load(stream(), { quiet: true })) messages.push(message);
  return messages;
}

async function expectLoaded(image: BuiltImage): Promise<void> {
  const resolved = await images.resolve(image.name ?? image.id);
  expect(resolved.id).toBe(image.id);
  const snapshot = await test.containerd.snapshots.stat(resolved.chainId);
  expect(snapshot.kind).toBe('committed');
}

/**
 * Nothing of a failed load may stay: no name, no lease, and after a collection no content either.
 */
async function expectNothingLeft(): Promise<void> {
  const { containerd } = test;
  await containerd.leases.create('collect', { expireMs: 60_000 });
  await containerd.leases.delete('collect', { sync: true });
  expect(await containerd.images.list()).toEqual([]);
  expect(await containerd.leases.list()).toEqual([]);
  expect(await containerd.content.list()).toEqual([]);
  expect(await containerd.snapshots.list()).toEqual([]);
}

describe('load', () => {
  it("takes docker save's classic layout", async () => {
    const image = await buildImage({ name: 'app:1', files: { '/hello': 'world' } });
    const messages = await load(await dockerArchive([image]));
    expect(messages).toEqual([{ stream: 'Loaded image: app:1\n' }]);
    await expectLoaded(image);
  });

  it("takes Docker 28's layout and keeps the manifest it came with", async () => {
    const image = await buildImage({ name: 'localhost:5000/team/app:2', files: { '/a': 'b' } });
    const messages = await load(await ociArchive(image));
    expect(messages).toEqual([{ stream: 'Loaded image: localhost:5000/team/app:2\n' }]);
    await expectLoaded(image);
    const [record] = await test.containerd.images.list();
    expect(record?.target.mediaType).toBe('application/vnd.oci.image.manifest.v1+json');
  });

  it('takes an OCI layout without manifest.json', async () => {
    const image = await buildImage({ name: 'docker.io/library/app:3' });
    await load(await ociArchive(image, { manifestJson: false }));
    await expectLoaded(image);
  });

  it('takes a gzipped archive in small pieces', async () => {
    const image = await buildImage({ name: 'app:4' });
    const packed = gzipSync(await dockerArchive([image]));
    const pieces = [packed.subarray(0, 1), packed.subarray(1, 5), packed.subarray(5)];
    await load(pieces);
    await expectLoaded(image);
  });

  it('takes several images that share a layer, and one without a name', async () => {
    const one = await buildImage({ name: 'one:1' });
    const two = await buildImage({ name: 'two:1', files: { '/two': '2' } });
    const three = await buildImage({ files: { '/three': '3' } });
    const messages = await load(await dockerArchive([one, two, three]));
    expect(messages.map((message) => message.stream)).toEqual([
      'Loaded image: one:1\n',
      'Loaded image: two:1\n',
      `Loaded image ID: ${three.id}\n`,
    ]);
    for (const image of [one, two, three]) await expectLoaded(image);
  });

  it('says so when a name moves to another image, and keeps the old one', async () => {
    const before = await buildImage({ name: 'app:5', files: { '/v': '1' } });
    const after = await buildImage({ name: 'app:5', files: { '/v': '2' } });
    await load(await dockerArchive([before]));
    const messages = await load(await dockerArchive([after]));
    const renamed = `renaming the old one with ID ${before.id} to empty string`;
    expect(messages[0]?.stream).toBe(`The image app:5 already exists, ${renamed}\n`);
    await expectLoaded(after);
    expect((await images.resolve(before.id)).id).toBe(before.id);
  });

  it('loads again what is there without a change', async () => {
    const image = await buildImage({ name: 'app:6' });
    await load(await dockerArchive([image]));
    const messages = await load(await dockerArchive([image]));
    expect(messages).toEqual([{ stream: 'Loaded image: app:6\n' }]);
    await expectLoaded(image);
  });

  it('survives a collection of garbage, and a restart', async () => {
    const image = await buildImage({ name: 'app:7', files: { '/x': 'y' } });
    await load(await dockerArchive([image]));
    await test.containerd.leases.create('collect', { expireMs: 60_000 });
    await test.containerd.leases.delete('collect', { sync: true });
    images.close();
    images = engine();
    await expectLoaded(image);
  });
});

describe('load of a bad archive', () => {
  it.each([
    ['text', Buffer.from('this is not an archive, whatever it is called'.repeat(100))],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', async (_, archive) => {
    await expect(load(archive)).rejects.toThrow(/invalid tar header|invalid archive/);
    await expectNothingLeft();
  });

  it('refuses one that was cut off', async () => {
    const whole = await dockerArchive([await buildImage({ name: 'cut:1' })]);
    await expect(load(whole.subarray(0, whole.length / 2))).rejects.toThrow('unexpected EOF');
    await expectNothingLeft();
  });

  it('refuses one whose layer is not what the config says', async () => {
    const image = await buildImage({ name: 'wrong:1', files: { '/a': 'a' } });
    const other = await makeTar([{ name: 'b', data: Buffer.from('b') }]);
    const layers = image.layers.map((layer) => ({ ...layer, tar: other }));
    await expect(load(await dockerArchive([{ ...image, layers }]))).rejects.toThrow(
      /wrong diff id calculated on extraction/,
    );
    await expectNothingLeft();
  });

  it('refuses one whose config is missing', async () => {
    const manifest = [{ Config: 'gone.json', RepoTags: ['x:1'], Layers: [] }];
    const archive = await makeTar([
      { name: 'manifest.json', data: Buffer.from(JSON.stringify(manifest)) },
    ]);
    await expect(load(archive)).rejects.toThrow('open gone.json: no such file or directory');
    await expectNothingLeft();
  });

  it('removes at the next start what a killed daemon was loading', async () => {
    const { containerd } = test;
    const labels = { 'skep.lease': 'images' };
    await containerd.leases.create('of-a-killed-daemon', { expireMs: 60_000, labels });
    const writer = await containerd
      .withLease('of-a-killed-daemon')
      .content.openWriter({ ref: 'half' });
    await writer.write(Buffer.from('made'));
    writer.close();
    await images.start();
    await expectNothingLeft();
    expect(await containerd.content.listIngests()).toEqual([]);
  });
});
