import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Code,
  errorMessage,
  type Processes,
  SimClock,
  SimRandom,
  silentLogger,
} from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Kernel } from '../linux/kernel.js';
import { LocalDriver } from './local-driver.js';
import { LocalMounts } from './local-mount.js';
import { FakePlugin } from './plugins/fake-plugin.sim.js';
import { VolumePlugins } from './plugins/plugins.js';
import { VolumeStore } from './volume-store.js';
import { Volumes } from './volumes.js';

let root: string;
let users: Record<string, string[]>;
let commands: string[];
let mountFails: boolean;
let plugin: FakePlugin;
let clock: SimClock;

const kernel = { unmount: (path: string) => commands.push(`umount ${path}`) } as unknown as Kernel;
const processes: Processes = {
  run: async (command, args) => {
    commands.push([command, ...args].join(' '));
    return { code: mountFails ? 32 : 0, stdout: '', stderr: mountFails ? 'no such device' : '' };
  },
};

function open(): Volumes {
  const store = new VolumeStore({ root: join(root, 'volumes'), logger: silentLogger });
  return new Volumes({
    store,
    local: new LocalDriver({
      store,
      mounts: new LocalMounts({ store, processes, kernel, resolveHost: async () => '10.9.8.7' }),
    }),
    plugins: new VolumePlugins({ ...plugin, clock, logger: silentLogger }),
    logger: silentLogger,
    clock,
    random: new SimRandom(3),
    usersOf: (name) => users[name] ?? [],
  });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skep-volumes-'));
  users = {};
  commands = [];
  mountFails = false;
  clock = new SimClock();
  plugin = new FakePlugin(join(root, 'plugins'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const names = async (volumes: Volumes, filters = {}) =>
  (await volumes.list(filters)).Volumes.map((volume) => volume.Name);

describe('volumes', () => {
  it('last over a restart, and creating one twice gives the first', async () => {
    const created = await open().create({ Name: 'data', Labels: { a: 'b' } });
    expect(created.Mountpoint).toBe(join(root, 'volumes/data/_data'));
    const volumes = open();
    expect(await volumes.create({ Name: 'data' })).toEqual(created);
    expect(await volumes.inspect('data')).toEqual(created);
    await expect(volumes.inspect('nope')).rejects.toThrow('get nope: no such volume');
  });

  it('refuse bad names, drivers and options', async () => {
    const volumes = open();
    await expect(volumes.create({ Name: '../x' })).rejects.toThrow(
      'create ../x: "../x" includes invalid characters for a local volume name',
    );
    await expect(volumes.create({ Name: 'x' })).rejects.toThrow('volume name is too short');
    await expect(volumes.create({ Name: 'xx', Driver: 'nope' })).rejects.toThrow(
      'plugin "nope" not found',
    );
    await expect(volumes.create({ Name: 'xx', DriverOpts: { foo: '1' } })).rejects.toThrow(
      'create xx: invalid option: "foo"',
    );
    await expect(volumes.create({ Name: 'xx', DriverOpts: { type: 'nfs' } })).rejects.toThrow(
      'missing required option: "device"',
    );
  });

  it('are listed by filters', async () => {
    const volumes = open();
    await volumes.create({ Name: 'one', Labels: { tier: 'web' } });
    await volumes.create({ Name: 'two' });
    users = { two: ['c1'] };
    expect(await names(volumes, { label: ['tier=web'] })).toEqual(['one']);
    expect(await names(volumes, { name: ['tw'] })).toEqual(['two']);
    expect(await names(volumes, { dangling: ['true'] })).toEqual(['one']);
    expect(await names(volumes, { dangling: ['false'] })).toEqual(['two']);
    await expect(volumes.list({ nope: ['x'] })).rejects.toThrow("invalid filter 'nope'");
    await expect(volumes.list({ dangling: ['x'] })).rejects.toThrow("filter 'dangling=[x]'");
  });

  it('in use cannot be removed', async () => {
    const volumes = open();
    await volumes.create({ Name: 'data' });
    users = { data: ['c1', 'c2'] };
    await expect(volumes.remove('data', true)).rejects.toThrow(
      'remove data: volume is in use - [c1, c2]',
    );
    users = {};
    await volumes.remove('data', false);
    expect(existsSync(join(root, 'volumes/data'))).toBe(false);
    await volumes.remove('data', true);
  });

  it('that nobody named are pruned, others only when asked', async () => {
    const volumes = open();
    const anonymous = await volumes.create({});
    await volumes.create({ Name: 'named' });
    writeFileSync(join(anonymous.Mountpoint, 'file'), 'x'.repeat(10_000));
    expect(await volumes.usage()).toMatchObject([
      { Name: anonymous.Name, UsageData: { RefCount: 0, Size: expect.any(Number) } },
      { Name: 'named', Mountpoint: join(root, 'volumes/named/_data') },
    ]);
    const report = await volumes.prune({});
    expect(report.VolumesDeleted).toEqual([anonymous.Name]);
    expect(report.SpaceReclaimed).toBeGreaterThanOrEqual(10_000);
    expect((await volumes.prune({ all: ['true'] })).VolumesDeleted).toEqual(['named']);
  });
});

describe('a volume with a file system of its own', () => {
  const DriverOpts = { type: 'nfs', o: 'addr=files.example,rw', device: ':/export' };
  const use = (mountId: string) => ({ volume: 'share', mountId });

  it('is mounted for its first user and unmounted after its last', async () => {
    const volumes = open();
    const { Mountpoint } = await volumes.create({ Name: 'share', DriverOpts });
    await volumes.acquire(use('c1'), {});
    await volumes.acquire(use('c2'), {});
    expect(commands).toEqual([`mount -i -t nfs -o addr=10.9.8.7,rw :/export ${Mountpoint}`]);
    await volumes.release(use('c1'), {});
    expect(commands).toHaveLength(1);
    await volumes.release(use('c2'), {});
    expect(commands[1]).toBe(`umount ${Mountpoint}`);
  });

  it('is taken over by the next daemon as it is', async () => {
    const { Mountpoint } = await open().create({ Name: 'share', DriverOpts });
    const volumes = open();
    volumes.hold(use('c1'));
    expect(commands).toEqual([]);
    await volumes.release(use('c1'), {});
    expect(commands).toEqual([`umount ${Mountpoint}`]);
  });

  it('is never pruned, as its data is not on this node', async () => {
    const volumes = open();
    await volumes.create({ Name: 'share', DriverOpts });
    expect((await volumes.prune({ all: ['true'] })).VolumesDeleted).toEqual([]);
    expect(await volumes.usage()).toEqual([]);
  });

  it.each<[Record<string, string>, string]>([
    [{ type: 'nfs' }, 'create v1: missing required option: "device"'],
    [{ device: '/x' }, 'missing required option: "type"'],
    [{ o: 'bind', device: '/x' }, 'missing required option: "type"'],
    [{ size: '10m' }, 'quota size requested but no quota support'],
    [{ size: 'ten' }, "invalid size: 'ten'"],
    [
      { type: 'cifs', device: '//host:445/share', o: 'user=x' },
      "port not allowed in CIFS device URL, include 'port' in 'o='",
    ],
  ])('is refused where its options are wrong: %j', async (DriverOpts, text) => {
    await expect(open().create({ Name: 'v1', DriverOpts })).rejects.toThrow(text);
  });

  it('has its server looked up, and its password in no error', async () => {
    const volumes = open();
    const o = 'username=a,password=secret';
    const DriverOpts = { type: 'cifs', o, device: '//files/share' };
    await volumes.create({ Name: 'share', DriverOpts });
    mountFails = true;
    const failed = volumes.acquire(use('c1'), {});
    await expect(failed).rejects.toThrow('data: username=a,password=********: no such device');
    expect(commands[0]).toContain('//10.9.8.7/share');
  });

  it('that cannot be mounted is tried again by the next user', async () => {
    const volumes = open();
    await volumes.create({ Name: 'share', DriverOpts });
    mountFails = true;
    await expect(volumes.acquire(use('c1'), {})).rejects.toThrow('failed to mount local volume');
    mountFails = false;
    await volumes.acquire(use('c1'), {});
    expect(commands).toHaveLength(2);
  });
});

describe('a volume of a plugin', () => {
  const use = { volume: 'data', mountId: 'm1' };
  const create = (volumes: Volumes) =>
    volumes.create({ Name: 'data', Driver: 'fast', DriverOpts: { tier: '1' }, Labels: { a: 'b' } });

  it('is made, shown, used and removed by it', async () => {
    const volumes = open();
    expect(await create(volumes)).toMatchObject({
      Name: 'data',
      Driver: 'fast',
      Mountpoint: '/fast/data',
      Labels: { a: 'b' },
      Options: { tier: '1' },
      Scope: 'global',
      Status: { state: 'good' },
    });
    expect(await volumes.drivers()).toEqual(['local', 'fast']);
    expect(await volumes.acquire(use, {})).toBe('/fast/data');
    expect(plugin.mounts).toEqual(['data m1']);
    await volumes.release(use, {});
    expect(plugin.mounts).toEqual([]);
    await volumes.remove('data', false);
    expect(plugin.volumes.size).toBe(0);
    await expect(volumes.inspect('data')).rejects.toThrow('get data: no such volume');
  });

  it('is told again of no mount that an earlier daemon made, and of its end once', async () => {
    const first = open();
    await create(first);
    await first.acquire(use, {});
    const volumes = open();
    volumes.hold(use);
    expect(plugin.mounts).toEqual(['data m1']);
    await volumes.release(use, {});
    expect(plugin.mounts).toEqual([]);
  });

  it('keeps its name from other drivers', async () => {
    const volumes = open();
    await create(volumes);
    await expect(volumes.create({ Name: 'data', Driver: 'local' })).rejects.toMatchObject({
      code: Code.ALREADY_EXISTS,
      message: "create data: driver 'fast' already has volume 'data': volume name must be unique",
    });
    expect((await volumes.create({ Name: 'data' })).Driver).toBe('fast');
  });

  it('is found, and named as it likes, where only the plugin knows it', async () => {
    plugin.volumes.set('../odd name', {});
    const volumes = open();
    expect(await names(volumes, { driver: ['fast'] })).toEqual(['../odd name']);
    expect((await volumes.create({ Name: '../odd name' })).Driver).toBe('fast');
    expect((await open().inspect('../odd name')).Driver).toBe('fast');
    await open().remove('../odd name', false);
    expect(plugin.volumes.size).toBe(0);
  });

  it('is still listed when the plugin is gone, and can be forgotten by force', async () => {
    const volumes = open();
    await create(volumes);
    plugin.uninstall();
    expect(await volumes.list({})).toMatchObject({
      Volumes: [{ Name: 'data', Driver: 'fast', Mountpoint: '' }],
      Warnings: ['list fast: plugin "fast" does not answer'],
    });
    const gone = 'error looking up volume plugin fast: plugin "fast" not found';
    await expect(volumes.inspect('data')).rejects.toThrow(`get data: ${gone}`);
    await expect(volumes.remove('data', false)).rejects.toThrow(`remove data: ${gone}`);
    await volumes.remove('data', true);
    expect((await volumes.list({})).Volumes).toEqual([]);
  });

  it('is forgotten when the plugin has it no more, unless a container needs it', async () => {
    const volumes = open();
    await create(volumes);
    plugin.volumes.clear();
    users = { data: ['c1'] };
    await expect(create(volumes)).rejects.toThrow(
      "found references to volume 'data' in driver 'fast' but the volume was not found",
    );
    users = {};
    expect((await volumes.create({ Name: 'data', Driver: 'local' })).Driver).toBe('local');
  });

  it('fails in the words of the plugin', async () => {
    const volumes = open();
    plugin.refusal = { status: 200, body: '{"Err":"disk full"}' };
    await expect(create(volumes)).rejects.toThrow('create data: disk full');
    plugin.refusal = { status: 500, body: '{"Err":"disk full"}' };
    await expect(create(volumes)).rejects.toThrow('create data: VolumeDriver.Create: disk full');
    plugin.refusal = { status: 200, body: 'gibberish' };
    await expect(create(volumes)).rejects.toThrow("the plugin's answer is no JSON object");
  });

  it('waits for a plugin that is being restarted, and not for ever', async () => {
    const volumes = open();
    await create(volumes);
    plugin.isDown = true;
    const mounted = volumes.acquire(use, {});
    await clock.advance(2_000);
    plugin.isDown = false;
    await clock.advance(2_000);
    expect(await mounted).toBe('/fast/data');
    plugin.isDown = true;
    const failed = volumes.acquire({ ...use, mountId: 'm2' }, {}).catch(errorMessage);
    await clock.advance(30_000);
    expect(await failed).toBe('VolumeDriver.Mount: connect ECONNREFUSED');
  });
});
