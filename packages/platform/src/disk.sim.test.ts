import { beforeEach, describe, expect, it } from 'vitest';
import { settle } from './clock.sim.js';
import { SimDisk, SimPowerCutError } from './disk.sim.js';
import { SimRandom } from './random.js';

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const bytes = (value: string) => Buffer.from(value);

describe('SimDisk', () => {
  let disk: SimDisk;

  beforeEach(async () => {
    disk = new SimDisk();
    await disk.makeDirectory('/d');
  });

  it('loses unsynced writes in a crash, and keeps synced ones', async () => {
    await disk.writeFileAtomic('/d/a', bytes('synced'));
    const file = await disk.open('/d/a', 'read-write');
    await file.write(0, bytes('SY'));
    await file.datasync();
    await file.write(2, bytes('NCED'));
    await file.truncate(4);
    disk.crash();
    expect(text(await disk.readFile('/d/a'))).toBe('SYnced');
    await expect(file.read(0, 1)).rejects.toMatchObject({ code: 'EBADF' });
  });

  it('does not let a sync cover writes made after it began', async () => {
    await disk.writeFileAtomic('/d/a', bytes('aaaa'));
    const file = await disk.open('/d/a', 'read-write');
    await file.write(0, bytes('b'));
    const syncing = file.datasync();
    await file.write(1, bytes('c'));
    await syncing;
    disk.crash();
    expect(text(await disk.readFile('/d/a'))).toBe('baaa');
  });

  it('loses names that were not synced: created, renamed and removed ones', async () => {
    for (const name of ['a', 'b']) await disk.writeFileAtomic(`/d/${name}`, bytes(name));
    const file = await disk.open('/d/new', 'create');
    await file.datasync();
    await disk.rename('/d/a', '/d/c');
    await disk.remove('/d/b');
    expect(await disk.list('/d')).toEqual(['c', 'new']);
    disk.crash();
    expect(await disk.list('/d')).toEqual(['a', 'b']);
    await disk.rename('/d/a', '/d/c');
    await disk.syncDirectory('/d');
    disk.crash();
    expect(await disk.list('/d')).toEqual(['b', 'c']);
  });

  it('tears writes at sectors when given chance', async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      await disk.writeFileAtomic('/d/a', Buffer.alloc(2048, 'a'));
      const file = await disk.open('/d/a', 'read-write');
      await file.write(100, Buffer.alloc(1500, 'b'));
      disk.crash({ random: new SimRandom(seed) });
      const content = text(await disk.readFile('/d/a'));
      expect(content.length).toBe(2048);
      for (const sector of [612, 1124]) {
        expect(['a', 'b']).toContain(content[sector]);
        expect(new Set(content.slice(512, 1024)).size).toBe(1);
      }
      outcomes.add([100, 600, 1100, 1599].map((at) => content[at]).join(''));
    }
    expect(outcomes).toContain('aaaa');
    expect(outcomes).toContain('bbbb');
    expect(outcomes.size).toBeGreaterThan(4);
  });

  it('fails the operation it is told to, as often as it is told', async () => {
    const file = await disk.open('/d/a', 'create');
    disk.injectFault({ code: 'EIO', operation: 'write', after: 1, times: 2 });
    await file.write(0, bytes('a'));
    await expect(file.write(1, bytes('b'))).rejects.toMatchObject({ code: 'EIO' });
    await expect(file.write(1, bytes('b'))).rejects.toMatchObject({ code: 'EIO' });
    await file.write(1, bytes('c'));
    expect(text(await disk.readFile('/d/a'))).toBe('ac');
  });

  it('forgets the data of a failed sync although the next one succeeds', async () => {
    await disk.writeFileAtomic('/d/a', bytes('old'));
    const file = await disk.open('/d/a', 'read-write');
    await file.write(0, bytes('new'));
    disk.injectFault({ code: 'EIO', operation: 'datasync' });
    await expect(file.datasync()).rejects.toMatchObject({ code: 'EIO' });
    await file.datasync();
    expect(text(await disk.readFile('/d/a'))).toBe('new');
    disk.crash();
    expect(text(await disk.readFile('/d/a'))).toBe('old');
  });

  it('runs out of space and recovers', async () => {
    disk.capacityBytes = 100;
    const file = await disk.open('/d/a', 'create');
    await file.allocate(90);
    await expect(file.allocate(101)).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(disk.writeFileAtomic('/d/b', new Uint8Array(11))).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    expect(await disk.list('/d')).toEqual(['a']);
    expect(await disk.freeBytes('/d')).toBe(10);
    await file.write(0, new Uint8Array(90));
    disk.capacityBytes = 200;
    await disk.writeFileAtomic('/d/b', new Uint8Array(11));
  });

  it('stops everything at a power cut until the crash', async () => {
    const file = await disk.open('/d/a', 'create');
    await disk.syncDirectory('/d');
    disk.cutPowerAt(disk.operations + 2);
    await file.write(0, bytes('a'));
    await expect(file.datasync()).rejects.toThrow(SimPowerCutError);
    await expect(disk.readFile('/d/a')).rejects.toThrow(SimPowerCutError);
    disk.crash();
    expect(text(await disk.readFile('/d/a'))).toBe('');
  });

  it('cuts the power also at an operation that would have failed', async () => {
    let cuts = 0;
    disk.usedBy({ delay: () => Promise.resolve(), onPowerCut: () => void cuts++ });
    disk.cutPowerAt(disk.operations + 1);
    disk.readFile('/d/nothing').catch(() => {});
    await settle();
    expect(cuts).toBe(1);
  });

  it('replaces a file atomically wherever the power goes', async () => {
    for (let step = 1; step < 8; step++) {
      disk = new SimDisk();
      await disk.makeDirectory('/d');
      await disk.writeFileAtomic('/d/a', bytes('old'));
      disk.cutPowerAt(disk.operations + step);
      const done = await disk.writeFileAtomic('/d/a', bytes('new')).then(
        () => true,
        () => false,
      );
      disk.crash({ random: new SimRandom(step) });
      const content = text(await disk.readFile('/d/a'));
      if (done) expect(content).toBe('new');
      else expect(['old', 'new']).toContain(content);
    }
  });

  it('is as slow as its user says, and nothing ends for a user that is gone', async () => {
    const waiting: (() => void)[] = [];
    let cuts = 0;
    disk.usedBy({
      delay: () => new Promise((resolve) => waiting.push(resolve)),
      onPowerCut: () => void cuts++,
    });
    const ended: string[] = [];
    const begin = (name: string, operation: Promise<unknown>) => {
      const end = () => void ended.push(name);
      operation.then(end, end);
    };
    begin('first', disk.stat('/d'));
    begin('second', disk.stat('/d'));
    await Promise.resolve();
    expect(waiting).toHaveLength(2);
    waiting[1]?.();
    await settle();
    expect(ended).toEqual(['second']);
    disk.cutPowerAt(disk.operations + 1);
    begin('third', disk.makeDirectory('/d/new'));
    waiting[2]?.();
    await settle();
    waiting[0]?.();
    begin('fourth', disk.stat('/d'));
    await settle();
    expect([cuts, ended]).toEqual([1, ['second']]);
    disk.crash();
    disk.usedBy(undefined);
    expect(await disk.stat('/d/new')).toMatchObject({ isDirectory: true });
    expect(ended).toEqual(['second']);
  });

  it('tells what would be found after a power cut', async () => {
    await disk.writeFileAtomic('/d/b', bytes('synced'));
    const file = await disk.open('/d/b', 'read-write');
    await file.truncate(100);
    await disk.open('/d/a', 'create');
    expect(disk.durableFiles()).toEqual([{ path: '/d/b', size: 6, written: 6 }]);
    await file.datasync();
    expect(disk.durableFiles()).toEqual([{ path: '/d/b', size: 100, written: 6 }]);
    disk.flipBits('/d/b', 0);
    expect(text(await disk.readFile('/d/b')).slice(0, 6)).toBe('rynced');
  });
});
