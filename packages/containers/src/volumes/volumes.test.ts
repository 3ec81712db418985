import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Processes, SimClock, SimRandom, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Kernel } from '../linux/kernel.js';
import { LocalMounts } from './local-mount.js';
import { VolumeStore } from './volume-store.js';
import { Volumes } from './volumes.js';

let root: string;
let users: Record<string, string[]>;
let commands: string[];
let mountFails: boolean;

const kernel = { unmount: (path: string) => commands.push(`umount ${path}`) } as unknown as Kernel;
const processes: Processes = {
  run: async (command, args) => {
    commands.push([command, ...args].join(' '));
    return { code: mountFails ? 32 : 0, stdout: '', stderr: mountFails ? 'no such device' : '' };
  },
};

function open(): Volumes {
  const store = new VolumeStore({ root, logger: silentLogger });
  return new Volumes({
    store,
    mounts: new LocalMounts({ store, processes, kernel }),
    clock: new SimClock(),
    random: new SimRandom(3),
    usersOf: (name) => users[name] ?? [],
  });
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'skep-volumes-'));
  users = {};
  commands = [];
  mountFails = false;
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const names = async (volumes: Volumes, filters = {}) =>
  (await volumes.list(filters)).map((volume) => volume.Name);

describe('volumes', () => {
  it('last over a restart, and creating one twice gives the first', async () => {
    const created = await open().create({ Name: 'data', Labels: { a: 'b' } });
    expect(created.Mountpoint).toBe(join(root, 'data/_data'));
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
    expect(existsSync(join(root, 'data'))).toBe(false);
    await volumes.remove('data', true);
  });

  it('that nobody named are pruned, others only when asked', async () => {
    const volumes = open();
    const anonymous = await volumes.create({});
    await volumes.create({ Name: 'named' });
    writeFileSync(join(anonymous.Mountpoint, 'file'), 'x'.repeat(10_000));
    const report = await volumes.prune({});
    expect(report.VolumesDeleted).toEqual([anonymous.Name]);
    expect(report.SpaceReclaimed).toBeGreaterThanOrEqual(10_000);
    expect((await volumes.prune({ all: ['true'] })).VolumesDeleted).toEqual(['named']);
  });
});

describe('a volume with a file system of its own', () => {
  const DriverOpts = { type: 'nfs', o: 'addr=10.0.0.1,rw', device: ':/export' };

  it('is mounted for its first user and unmounted after its last', async () => {
    const volumes = open();
    const { Mountpoint } = await volumes.create({ Name: 'share', DriverOpts });
    await volumes.acquire('share', 'c1');
    await volumes.acquire('share', 'c2');
    expect(commands).toEqual([`mount -t nfs -o addr=10.0.0.1,rw :/export ${Mountpoint}`]);
    volumes.release('share', 'c1');
    expect(commands).toHaveLength(1);
    volumes.release('share', 'c2');
    expect(commands[1]).toBe(`umount ${Mountpoint}`);
  });

  it('that cannot be mounted is tried again by the next user', async () => {
    const volumes = open();
    await volumes.create({ Name: 'share', DriverOpts });
    mountFails = true;
    await expect(volumes.acquire('share', 'c1')).rejects.toThrow('failed to mount local volume');
    mountFails = false;
    await volumes.acquire('share', 'c1');
    expect(commands).toHaveLength(2);
  });
});
