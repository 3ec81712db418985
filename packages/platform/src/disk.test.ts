import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import type { Disk } from './disk.js';
import { RealDisk } from './disk.real.js';
import { SimDisk } from './disk.sim.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const bytes = (value: string) => Buffer.from(value);

interface Twin {
  name: string;
  disk: Disk;
  root: string;
  modeOf(path: string): number;
}

const realRoot = mkdtempSync(join(tmpdir(), 'skep-disk-'));
const simDisk = new SimDisk();
const twins: Twin[] = [
  {
    name: 'RealDisk',
    disk: new RealDisk(),
    root: realRoot,
    modeOf: (path) => statSync(path).mode & 0o777,
  },
  { name: 'SimDisk', disk: simDisk, root: '/sim', modeOf: (path) => simDisk.modeOf(path) },
];
let round = 0;

afterAll(() => rmSync(realRoot, { recursive: true, force: true }));

describe.each(twins)('$name keeps the contract', ({ disk, root, modeOf }) => {
  let dir: string;

  beforeEach(async () => {
    dir = join(root, `round-${round++}`);
    await disk.makeDirectory(dir);
  });

  it('creates, writes and reads at offsets, and reads short at the end', async () => {
    const file = await disk.open(join(dir, 'a'), 'create');
    await file.write(4, bytes('hello'));
    await file.write(0, bytes('ab'));
    await file.datasync();
    expect(await file.size()).toBe(9);
    expect([...(await file.read(0, 6))]).toEqual([97, 98, 0, 0, 104, 101]);
    expect(text(await file.read(7, 100))).toBe('lo');
    expect((await file.read(50, 10)).length).toBe(0);
    await file.close();
    await expect(file.read(0, 1)).rejects.toThrow();
  });

  it('opens what exists and creates what does not, never the other way', async () => {
    const path = join(dir, 'a');
    await expect(disk.open(path, 'read')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(disk.open(path, 'read-write')).rejects.toMatchObject({ code: 'ENOENT' });
    await (await disk.open(path, 'create')).close();
    await expect(disk.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(modeOf(path)).toBe(0o600);
    const missing = join(dir, 'no', 'a');
    await expect(disk.open(missing, 'create')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('allocates zeros, never shrinks by it, and truncates', async () => {
    const file = await disk.open(join(dir, 'a'), 'create');
    await file.write(0, bytes('x'));
    await file.allocate(3_000_000);
    expect(await file.size()).toBe(3_000_000);
    expect([...(await file.read(2_999_998, 4))]).toEqual([0, 0]);
    expect(text(await file.read(0, 1))).toBe('x');
    await file.allocate(10);
    expect(await file.size()).toBe(3_000_000);
    await file.truncate(1);
    await file.truncate(3);
    expect([...(await file.read(0, 9))]).toEqual([120, 0, 0]);
    await file.close();
  });

  it('replaces a file whole, with its mode, and leaves no temporary file', async () => {
    const path = join(dir, 'a');
    await disk.writeFileAtomic(path, bytes('long first content'));
    expect(modeOf(path)).toBe(0o600);
    await disk.writeFileAtomic(path, bytes('second'), 0o644);
    expect(modeOf(path)).toBe(0o644);
    expect(text(await disk.readFile(path))).toBe('second');
    expect(await disk.list(dir)).toEqual(['a']);
    const nowhere = join(dir, 'no', 'a');
    await expect(disk.writeFileAtomic(nowhere, bytes('x'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it.each([10, 100_000])('replaces a file of %i bytes without syncing it', async (length) => {
    const path = join(dir, 'a');
    await disk.writeFileAtomic(path, bytes('first'));
    await disk.replaceFile(path, bytes('x'.repeat(length)));
    expect(text(await disk.readFile(path))).toBe('x'.repeat(length));
    expect(modeOf(path)).toBe(0o600);
    await disk.makeDirectory(join(dir, 'taken', 'below'));
    const overTree = disk.replaceFile(join(dir, 'taken'), bytes('x'));
    await expect(overTree).rejects.toMatchObject({ code: 'EISDIR' });
    expect(await disk.list(dir)).toEqual(['a', 'taken']);
    const nowhere = disk.replaceFile(join(dir, 'no', 'a'), bytes('x'.repeat(length)));
    await expect(nowhere).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('writes one path from two places at once', async () => {
    const path = join(dir, 'a');
    const contents = ['one', 'two', 'six'];
    await Promise.all(contents.map((content) => disk.writeFileAtomic(path, bytes(content))));
    expect(contents).toContain(text(await disk.readFile(path)));
    expect(await disk.list(dir)).toEqual(['a']);
  });

  it('lists sorted, and nothing of a missing directory', async () => {
    for (const name of ['b', 'c', 'a']) await disk.writeFileAtomic(join(dir, name), bytes(name));
    expect(await disk.list(dir)).toEqual(['a', 'b', 'c']);
    expect(await disk.list(join(dir, 'missing'))).toEqual([]);
    await expect(disk.list(join(dir, 'a'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('tells of files, directories and what is missing', async () => {
    await disk.writeFileAtomic(join(dir, 'a'), bytes('abc'));
    expect(await disk.stat(join(dir, 'a'))).toMatchObject({ size: 3, isDirectory: false });
    expect(await disk.stat(dir)).toMatchObject({ isDirectory: true });
    expect(await disk.stat(join(dir, 'missing'))).toBeUndefined();
    expect(await disk.stat(join(dir, 'a', 'below'))).toBeUndefined();
  });

  it('makes directories with their parents, again without error', async () => {
    const deep = join(dir, 'x', 'y', 'z');
    await disk.makeDirectory(deep);
    await disk.makeDirectory(deep);
    expect(await disk.list(join(dir, 'x'))).toEqual(['y']);
    await disk.syncDirectory(deep);
    await disk.writeFileAtomic(join(dir, 'a'), bytes('abc'));
    await expect(disk.makeDirectory(join(dir, 'a'))).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('renames over a file and removes trees', async () => {
    await disk.writeFileAtomic(join(dir, 'a'), bytes('first'));
    await disk.writeFileAtomic(join(dir, 'b'), bytes('second'));
    await disk.rename(join(dir, 'a'), join(dir, 'b'));
    expect(await disk.list(dir)).toEqual(['b']);
    expect(text(await disk.readFile(join(dir, 'b')))).toBe('first');
    await disk.makeDirectory(join(dir, 'tree', 'below'));
    await disk.remove(join(dir, 'tree'));
    await disk.remove(join(dir, 'tree'));
    expect(await disk.list(dir)).toEqual(['b']);
    const missing = disk.rename(join(dir, 'none'), join(dir, 'c'));
    await expect(missing).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('goes on using an open file that was renamed or removed', async () => {
    const file = await disk.open(join(dir, 'a'), 'create');
    await disk.rename(join(dir, 'a'), join(dir, 'b'));
    await file.write(0, bytes('kept'));
    expect(text(await disk.readFile(join(dir, 'b')))).toBe('kept');
    await disk.remove(join(dir, 'b'));
    expect(text(await file.read(0, 4))).toBe('kept');
    await file.close();
  });

  it('knows how much is free', async () => {
    expect(await disk.freeBytes(dir)).toBeGreaterThan(0);
  });
});
