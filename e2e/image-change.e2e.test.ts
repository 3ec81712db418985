import { type EngineEvent, Images, type ImageUser } from '@skep/containers';
import { Code, RealClock, RealRandom, silentLogger } from '@skep/platform';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startContainerd, type TestContainerd } from './support/containerd.js';
import { type BuiltImage, buildImage, dockerArchive, registryImage } from './support/image.js';
import { TestRegistry } from './support/registry.js';

let test: TestContainerd;
let registry: TestRegistry;
let images: Images;
let users: Map<string, ImageUser[]>;
let events: EngineEvent[];
let one: BuiltImage;
let two: BuiltImage;

beforeAll(async () => {
  test = await startContainerd('image-change');
  registry = await TestRegistry.start();
});
afterAll(async () => {
  await Promise.all([registry?.dispose(), test?.dispose()]);
});

beforeEach(async () => {
  users = new Map();
  events = [];
  images = new Images({
    containerd: test.containerd,
    clock: new RealClock(),
    random: new RealRandom(),
    logger: silentLogger,
    usersOf: (id) => users.get(id) ?? [],
  });
  await images.start();
  one = await buildImage({
    name: 'one:1',
    config: { Labels: { team: 'red', stage: 'test' }, ExposedPorts: { '80/tcp': {} } },
    created: '2026-01-01T00:00:00Z',
  });
  two = await buildImage({
    name: 'two:1',
    files: { '/two': '2'.repeat(100_000) },
    created: '2026-02-01T00:00:00Z',
  });
  await load([one, two]);
  images.onEvent((event) => events.push(event));
});

afterEach(async () => {
  images.close();
  for (const { name } of await test.containerd.images.list()) {
    await test.containerd.images.delete(name, { sync: true });
  }
});

async function load(built: BuiltImage[]): Promise<void> {
  async function* stream() {
    yield await dockerArchive(built);
  }
  for await (const _ of images.load(stream(), { quiet: true }));
}

async function ids(filters: Record<string, string[]> = {}): Promise<string[]> {
  const options = { all: false, filters, digests: false, sharedSize: false };
  return (await images.list(options)).map(({ Id }) => Id);
}

const noForce = { force: false, noPrune: false };
const force = { force: true, noPrune: false };
/** The refusal to delete an image, in Docker's words. */
const conflict = (id: string, how: string, reason: string) =>
  `conflict: unable to delete ${short(id)} (${how}) - image is ${reason}`;
const short = (id: string) => id.replace('sha256:', '').slice(0, 12);

describe('list', () => {
  it('shows newest first, with sizes and shared sizes', async () => {
    const options = { all: true, filters: {}, digests: true, sharedSize: true };
    const list = await images.list(options);
    expect(list.map(({ RepoTags }) => RepoTags)).toEqual([['two:1'], ['one:1']]);
    expect(list[0]).toMatchObject({
      Id: two.id,
      ParentId: '',
      RepoDigests: [],
      Created: 1_769_904_000,
      Labels: null,
      Containers: -1,
    });
    expect(list[0]?.Size).toBeGreaterThan((list[1]?.Size ?? 0) + 100_000);
    expect(list[0]?.SharedSize).toBe(list[1]?.Size);
  });

  it.each([
    [{ label: ['team'] }, ['one']],
    [{ label: ['team=red', 'stage=test'] }, ['one']],
    [{ label: ['team=blue'] }, []],
    [{ reference: ['tw*'] }, ['two']],
    [{ reference: ['one:1', 'two:1'] }, ['two', 'one']],
    [{ reference: ['one:2'] }, []],
    [{ before: ['two:1'] }, ['one']],
    [{ since: ['one:1'] }, ['two']],
    [{ until: ['2026-01-15T00:00:00Z'] }, ['one']],
    [{ dangling: ['true'] }, []],
    [{ dangling: ['false'] }, ['two', 'one']],
  ])('filters by %j', async (filters, names) => {
    const byName: Record<string, string> = { one: one.id, two: two.id };
    expect(await ids(filters)).toEqual(names.map((name) => byName[name]));
  });

  it('refuses filters it does not know', async () => {
    await expect(ids({ colour: ['red'] })).rejects.toThrow("invalid filter 'colour'");
    await expect(ids({ dangling: ['maybe'] })).rejects.toThrow("invalid filter 'dangling=[maybe]'");
  });
});

describe('inspect and history', () => {
  it('shows what docker image inspect prints', async () => {
    const shown = await images.inspect('one:1');
    expect(shown).toMatchObject({
      Id: one.id,
      RepoTags: ['one:1'],
      Created: '2026-01-01T00:00:00Z',
      Architecture: 'amd64',
      Os: 'linux',
      GraphDriver: { Name: 'overlayfs' },
      RootFS: { Type: 'layers', Layers: [one.layers[0]?.diffId] },
      Config: { Cmd: ['sh'], Env: ['PATH=/bin'], ExposedPorts: { '80/tcp': {} }, Entrypoint: null },
    });
    expect(await images.inspect(short(one.id))).toEqual(shown);
    expect(await images.inspect(one.id)).toEqual(shown);
  });

  it('shows history from the top', async () => {
    const entries = await images.history('two:1');
    expect(entries.map(({ Id }) => Id)).toEqual([two.id, '<missing>']);
    expect(entries.map(({ CreatedBy }) => CreatedBy)).toEqual(['layer 1', 'layer 0']);
    expect(entries[0]).toMatchObject({ Tags: ['two:1'] });
  });

  it.each(['absent', 'absent:2', '0123456789ab'])('does not know %s', async (reference) => {
    const shown = reference.includes(':') ? reference : `${reference}:latest`;
    await expect(images.inspect(reference)).rejects.toThrow(`No such image: ${shown}`);
  });

  it('refuses what is no reference', async () => {
    await expect(images.inspect('Not A Reference')).rejects.toThrow('invalid reference format');
  });
});

describe('tag', () => {
  it('gives another name, and says so', async () => {
    await images.tag('one:1', 'localhost:5000/team/one', 'v2');
    expect((await images.resolve('localhost:5000/team/one:v2')).id).toBe(one.id);
    await images.tag(short(one.id), 'plain', '');
    expect((await images.resolve('plain:latest')).id).toBe(one.id);
    expect(events.map(({ Action, Actor }) => [Action, Actor.ID, Actor.Attributes['name']])).toEqual(
      [
        ['tag', one.id, 'localhost:5000/team/one:v2'],
        ['tag', one.id, 'plain:latest'],
      ],
    );
  });

  it('takes a name from another image, which stays without one', async () => {
    await images.tag('two:1', 'one', '1');
    expect((await images.resolve('one:1')).id).toBe(two.id);
    expect(await ids({ dangling: ['true'] })).toEqual([one.id]);
    await images.tag(one.id, 'again', '1');
    expect(await ids({ dangling: ['true'] })).toEqual([]);
  });
});

describe('remove', () => {
  it('takes away a name alone while there are others', async () => {
    await images.tag('one:1', 'other', '1');
    expect(await images.remove('one:1', noForce)).toEqual([{ Untagged: 'one:1' }]);
    expect((await images.resolve('other:1')).id).toBe(one.id);
  });

  it('deletes the image with its last name, and frees what no other image has', async () => {
    const removed = await images.remove('two:1', noForce);
    const { chainId } = await images.resolve('one:1');
    expect(removed).toEqual([
      { Untagged: 'two:1' },
      { Deleted: two.id },
      { Deleted: expect.stringMatching(/^sha256:/) },
    ]);
    expect((await test.containerd.snapshots.list()).map(({ name }) => name)).toEqual([chainId]);
    expect(events.map(({ Action }) => Action)).toEqual(['untag', 'delete']);
  });

  it('deletes by id, but several names only with force', async () => {
    await images.tag('one:1', 'other', '1');
    await expect(images.remove(short(one.id), noForce)).rejects.toThrow(
      conflict(one.id, 'must be forced', 'referenced in multiple repositories'),
    );
    const removed = await images.remove(short(one.id), force);
    expect(removed.slice(0, 3)).toEqual([
      { Untagged: 'one:1' },
      { Untagged: 'other:1' },
      { Deleted: one.id },
    ]);
    expect(await ids()).toEqual([two.id]);
  });

  it('refuses while a running container uses the image', async () => {
    const user = 'c'.repeat(64);
    users.set(one.id, [{ id: user, running: true }]);
    const using = `container ${short(user)} is using its referenced image ${short(one.id)}`;
    await expect(images.remove('one:1', noForce)).rejects.toThrow(
      `conflict: unable to remove repository reference "one:1" (must force) - ${using}`,
    );
    await expect(images.remove(one.id, force)).rejects.toThrow(
      conflict(one.id, 'cannot be forced', `being used by running container ${short(user)}`),
    );
    // 409 over HTTP.
    await expect(images.remove(one.id, force)).rejects.toMatchObject({ code: Code.ALREADY_EXISTS });
    expect(await images.remove('one:1', force)).toEqual([{ Untagged: 'one:1' }]);
    expect((await images.resolve(one.id)).id).toBe(one.id);
  });

  it('wants force while a stopped container uses the image', async () => {
    const user = 'd'.repeat(64);
    users.set(one.id, [{ id: user, running: false }]);
    await expect(images.remove(one.id, noForce)).rejects.toThrow(
      conflict(one.id, 'must be forced', `being used by stopped container ${short(user)}`),
    );
    await images.remove(one.id, force);
    expect(await ids()).toEqual([two.id]);
  });

  it('takes the digests of a repository with its last tag', async () => {
    await registry.push(registryImage(one, 'docker'), 'pulled', 'v1');
    await images.remove('one:1', noForce);
    for await (const _ of images.pull(`${registry.host}/pulled:v1`, {}));
    const removed = await images.remove(`${registry.host}/pulled:v1`, noForce);
    const { digest } = registryImage(one, 'docker').manifest;
    expect(removed.slice(0, 3)).toEqual([
      { Untagged: `${registry.host}/pulled:v1` },
      { Untagged: `${registry.host}/pulled@${digest}` },
      { Deleted: one.id },
    ]);
    expect(await ids()).toEqual([two.id]);
  });
});

describe('prune', () => {
  it('removes images without a tag, unless they are used', async () => {
    const old = await buildImage({ name: 'two:1', files: { '/old': 'x'.repeat(50_000) } });
    await load([old]);
    users.set(two.id, [{ id: 'e'.repeat(64), running: false }]);
    expect(await images.prune({})).toEqual({ ImagesDeleted: [], SpaceReclaimed: 0 });
    users.clear();
    const result = await images.prune({});
    expect(result.ImagesDeleted[0]).toEqual({ Deleted: two.id });
    expect(result.SpaceReclaimed).toBeGreaterThan(100_000);
    expect((await ids()).sort()).toEqual([old.id, one.id].sort());
  });

  it('removes all unused ones when asked, by label', async () => {
    users.set(two.id, [{ id: 'e'.repeat(64), running: true }]);
    await images.prune({ dangling: ['false'], 'label!': ['team'] });
    expect(await ids()).toEqual([two.id, one.id]);
    const { ImagesDeleted } = await images.prune({ dangling: ['false'], label: ['team'] });
    expect(ImagesDeleted.slice(0, 2)).toEqual([{ Untagged: 'one:1' }, { Deleted: one.id }]);
    expect(await ids()).toEqual([two.id]);
  });
});
