import { SimDisk, settle, silentLogger } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { LogCorruptError, LogFailedError, NoSpaceError } from '../errors.js';
import { KeyRing } from '../keys/ring.js';
import type { RaftLog } from './log.js';
import { LOG_DIRECTORY, LogRig, readAll, testEntry } from './testing.js';

async function fill(log: RaftLog, first: bigint, last: bigint, bytes?: number): Promise<void> {
  for (let index = first; index <= last; index++) {
    await log.append({ entries: [testEntry(index, 1n, bytes)] });
  }
}

describe('RaftLog', () => {
  it('starts empty, and says all again after it was closed', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    expect(log.last).toEqual({ index: 0n, term: 0n });
    expect(log.metadata).toBeUndefined();
    const metadata = Buffer.from('who I am');
    const hardState = { term: 3n, vote: 2n ** 63n - 1n, commit: 0n };
    await log.append({ metadata, hardState, entries: [testEntry(1n), testEntry(2n, 3n)] });
    await log.close();

    const again = await rig.open();
    expect(Buffer.from(again.metadata ?? [])).toEqual(metadata);
    expect(again.hardState).toEqual(hardState);
    expect(again.last).toEqual({ index: 2n, term: 3n });
    expect(again.termOf(1n)).toBe(1n);
    expect(again.termOf(3n)).toBeUndefined();
    expect(await readAll(again)).toEqual([testEntry(1n), testEntry(2n, 3n)]);
  });

  it('keeps an empty payload empty and refuses a gap', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await log.append({ entries: [testEntry(1n, 1n, 0)] });
    expect((await readAll(log))[0]?.data.length).toBe(0);
    await expect(log.append({ entries: [testEntry(3n)] })).rejects.toThrow();
  });

  it('is durable when append resolves, in one sync a batch', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 3n);
    const before = rig.disk.operations;
    await log.append({ entries: [testEntry(4n), testEntry(5n), testEntry(6n)] });
    expect(rig.disk.operations - before).toBe(2);
    rig.disk.crash();
    expect((await rig.open()).last.index).toBe(6n);
  });

  it('runs over many segments and reads across them, within the bytes asked for', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 60n, 500);
    const segments = (await rig.disk.list(LOG_DIRECTORY)).filter((name) => name.endsWith('.log'));
    expect(segments.length).toBeGreaterThan(5);
    const all = await readAll(log);
    expect(all.map((entry) => entry.index)).toEqual(
      Array.from({ length: 60 }, (_, n) => BigInt(n + 1)),
    );
    expect((await log.read(10n, 60n, 1)).length).toBe(1);
    expect((await log.read(10n, 60n, 1200)).length).toBe(2);
    rig.disk.crash();
    expect(await readAll(await rig.open())).toEqual(all);
  });

  it('takes a batch larger than a segment', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await log.append({ entries: [testEntry(1n, 1n, 100_000)] });
    await fill(log, 2n, 3n);
    rig.disk.crash();
    expect((await readAll(await rig.open())).map((entry) => entry.data.length)).toEqual([
      100_000, 20, 20,
    ]);
  });

  it('replaces a conflicting suffix, also after a restart', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 40n, 500);
    await log.append({ entries: [testEntry(11n, 2n), testEntry(12n, 2n)] });
    const expected = [11n, 12n].map((index) => testEntry(index, 2n));
    for (const current of [log, await reopened(rig, log)]) {
      expect(current.last).toEqual({ index: 12n, term: 2n });
      expect((await readAll(current)).slice(10)).toEqual(expected);
    }
  });

  it('goes on after a snapshot from elsewhere, at any index and term', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 5n);
    await log.append({ start: { index: 5_000_000_000_000n, term: 9n } });
    expect(log.base).toEqual({ index: 5_000_000_000_000n, term: 9n });
    const next = testEntry(5_000_000_000_001n, 9n);
    await log.append({ entries: [next] });
    const again = await reopened(rig, log);
    expect(again.base).toEqual({ index: 5_000_000_000_000n, term: 9n });
    expect(await readAll(again)).toEqual([next]);
  });

  it('keeps the entries after a snapshot that agrees with it', async () => {
    const log = await new LogRig().open();
    await fill(log, 1n, 5n);
    await log.append({ start: { index: 3n, term: 1n } });
    expect(log.last.index).toBe(5n);
    await log.append({ start: { index: 3n, term: 2n } });
    expect(log.last).toEqual({ index: 3n, term: 2n });
  });

  it('compacts whole segments and starts after them', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await log.append({
      metadata: Buffer.from('me'),
      hardState: { term: 1n, vote: 5n, commit: 0n },
    });
    await fill(log, 1n, 60n, 500);
    const before = (await rig.disk.list(LOG_DIRECTORY)).length;
    await log.compact(40n);
    expect((await rig.disk.list(LOG_DIRECTORY)).length).toBeLessThan(before);
    expect(log.base.index).toBeLessThanOrEqual(40n);
    expect(log.base.index).toBeGreaterThan(20n);
    const { base } = log;
    const again = await reopened(rig, log);
    expect(again.base).toEqual(base);
    expect(again.last.index).toBe(60n);
    expect(Buffer.from(again.metadata ?? []).toString()).toBe('me');
    expect(again.hardState.vote).toBe(5n);
    expect((await readAll(again))[0]?.index).toBe(base.index + 1n);
  });

  it('keeps the segment before an empty one, whose first batch a crash has wiped', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await log.append({ metadata: Buffer.from('me'), entries: [testEntry(1n)] });
    await settle();
    rig.disk.injectFault({ code: 'EIO', operation: 'write', path: '0002-', after: 0 });
    await expect(log.append({ entries: [testEntry(2n, 1n, 4000)] })).rejects.toThrow();
    rig.disk.crash();
    const again = await rig.open();
    expect(await rig.newestSegment()).toContain('0000000000000002-');
    await again.compact(1n);
    expect((await reopened(rig, again)).last.index).toBe(1n);
    const third = await rig.open();
    await third.append({ entries: [testEntry(2n)] });
    await third.compact(2n);
    const fourth = await reopened(rig, third);
    expect(fourth.base.index).toBe(1n);
    expect(Buffer.from(fourth.metadata ?? []).toString()).toBe('me');
  });

  it('stops for good when a sync fails, and stands by nothing it did not promise', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 2n);
    rig.disk.injectFault({ code: 'EIO', operation: 'datasync', path: '.log' });
    await expect(log.append({ entries: [testEntry(3n)] })).rejects.toThrow(LogFailedError);
    await expect(log.append({ entries: [testEntry(3n)] })).rejects.toThrow(LogFailedError);
    await log.close();
    // The page cache still shows entry 3, and believes that it is on disk. It must be made so.
    const again = await rig.open();
    expect(again.last.index).toBe(3n);
    rig.disk.crash();
    expect((await rig.open()).last.index).toBe(3n);
  });

  it('treats a full disk at sync as failure, not as refusal', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    rig.disk.injectFault({ code: 'ENOSPC', operation: 'datasync', path: '.log' });
    await fill(log, 1n, 1n).then(
      () => expect.unreachable(),
      (error) => expect(error).toBeInstanceOf(LogFailedError),
    );
  });

  it('encrypts what it stores and names a wrong key', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    const secret = Buffer.from('a very secret join token');
    await log.append({ metadata: secret, entries: [{ ...testEntry(1n), data: secret }] });
    await log.close();
    const stored = Buffer.from(await rig.disk.readFile(await rig.newestSegment()));
    expect(stored.includes('secret')).toBe(false);
    const other = new KeyRing([new Uint8Array(32).fill(8)]);
    await expect(rig.open({ keys: other })).rejects.toThrow('encrypted under another key');
  });
});

async function reopened(rig: LogRig, log: RaftLog): Promise<RaftLog> {
  await log.close();
  return rig.open();
}

describe('RaftLog on a full disk', () => {
  async function fullRig(): Promise<{ rig: LogRig; log: RaftLog; last: bigint }> {
    const disk = new SimDisk({ capacityBytes: 3 * 8192 });
    const rig = new LogRig(1, disk);
    const log = await rig.open();
    let last = 0n;
    try {
      for (;;) {
        await log.append({ entries: [testEntry(last + 1n, 1n, 300)] });
        last++;
      }
    } catch (error) {
      expect(error).toBeInstanceOf(NoSpaceError);
    }
    expect(last).toBeGreaterThan(20n);
    return { rig, log, last };
  }

  it('refuses, keeps what it has, and goes on when space returns', async () => {
    const { rig, log, last } = await fullRig();
    expect(log.last.index).toBe(last);
    expect(log.hasRoom(1, 300)).toBe(false);
    const refused = log.append({ entries: [testEntry(last + 1n, 1n, 300)] });
    await expect(refused).rejects.toThrow(NoSpaceError);
    rig.disk.capacityBytes = 100_000;
    await rig.clock.advance(1_000);
    expect(log.hasRoom(1, 300)).toBe(false);
    await rig.clock.advance(1);
    expect(log.hasRoom(1, 300)).toBe(true);
    await log.append({ entries: [testEntry(last + 1n)] });
    rig.disk.crash();
    expect((await rig.open()).last.index).toBe(last + 1n);
  });

  it('goes on after compaction has made room', async () => {
    const { rig, log, last } = await fullRig();
    await log.compact(last);
    await rig.clock.advance(1_000);
    await log.append({ entries: [testEntry(last + 1n, 1n, 300)] });
    expect(log.last.index).toBe(last + 1n);
  });

  it('opens and takes what a start writes, from the reserve', async () => {
    const { rig, log, last } = await fullRig();
    await log.close();
    for (let start = 1n; start <= 2n; start++) {
      const again = await rig.open();
      const hardState = { term: start, vote: 1n, commit: 0n };
      await again.append({ hardState, entries: [testEntry(last + start, start, 0)] }, true);
      await again.close();
    }
    expect((await rig.open()).last).toEqual({ index: last + 2n, term: 2n });
  });

  it('takes a write cut short by a missing reservation as not done', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 1n);
    rig.disk.injectFault({ code: 'ENOSPC', operation: 'write', path: '.log' });
    await expect(log.append({ entries: [testEntry(2n)] })).rejects.toThrow(NoSpaceError);
    await log.append({ entries: [testEntry(2n)] });
    rig.disk.crash();
    expect((await rig.open({ log: silentLogger })).last.index).toBe(2n);
  });
});

describe('RaftLog and damage', () => {
  /** Offsets of the first record and of the last byte in use, of a segment with little in it. */
  async function usedBytes(rig: LogRig): Promise<{ path: string; start: number; end: number }> {
    const path = await rig.newestSegment();
    const bytes = await rig.disk.readFile(path);
    let end = bytes.length;
    while (bytes[end - 1] === 0) end--;
    return { path, start: 4096, end };
  }

  it('refuses to open when any bit of an older batch is flipped', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 3n);
    const { end: secondEnd } = await usedBytes(rig);
    await fill(log, 4n, 5n);
    await log.close();
    const { path, start } = await usedBytes(rig);
    for (let offset = start; offset < secondEnd; offset += 3) {
      rig.disk.flipBits(path, offset, 1 << (offset % 8));
      const isPadding = await rig.open().then(
        async (opened) => {
          const all = await readAll(opened);
          await opened.close();
          return all.length === 5;
        },
        (error) => {
          expect(error).toBeInstanceOf(LogCorruptError);
          return false;
        },
      );
      if (isPadding) expect((await rig.disk.readFile(path))[offset]).toBe(1 << (offset % 8));
      rig.disk.flipBits(path, offset, 1 << (offset % 8));
    }
    expect((await rig.open()).last.index).toBe(5n);
  });

  it('refuses damage to the very last batch once it was marked', async () => {
    for (const mark of ['close', 'quiet'] as const) {
      const rig = new LogRig();
      const log = await rig.open();
      await fill(log, 1n, 3n);
      if (mark === 'close') await log.close();
      else await rig.clock.advance(1_000);
      const { path, end } = await usedBytes(rig);
      rig.disk.flipBits(path, end - 20);
      await expect(rig.open()).rejects.toThrow(/damaged at \d+, where synced data was/);
    }
  });

  it('refuses damage at the end of a segment that has a successor', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 1n, 400);
    const first = await usedBytes(rig);
    const { path } = first;
    let { end } = first;
    for (let index = 2n; (await rig.newestSegment()) === path; index++) {
      end = (await usedBytes(rig)).end;
      await fill(log, index, index, 400);
    }
    await log.close();
    rig.disk.flipBits(path, end - 20);
    await expect(rig.open()).rejects.toThrow(/damaged: batches \d+ to \d+ are gone/);
  });

  it('refuses when a segment is missing, or committed entries are', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 30n, 500);
    await log.close();
    const names = (await rig.disk.list(LOG_DIRECTORY)).filter((name) => name.endsWith('.log'));
    await rig.disk.remove(`${LOG_DIRECTORY}/${names[1]}`);
    await expect(rig.open()).rejects.toThrow('the segment before it is missing');

    const other = new LogRig();
    const short = await other.open();
    await short.append({ hardState: { term: 1n, vote: 1n, commit: 4n }, entries: [testEntry(1n)] });
    await short.close();
    await expect(other.open()).rejects.toThrow('committed entries 2 to 4 are missing');
  });

  it('wipes a torn tail, so that nothing of it comes back later', async () => {
    const rig = new LogRig();
    const log = await rig.open();
    await fill(log, 1n, 2n);
    const { path, end } = await usedBytes(rig);
    await log.append({ entries: [testEntry(3n, 1n, 1500), testEntry(4n, 1n, 1500)] });
    rig.disk.flipBits(path, end + 100);
    const again = await rig.open();
    expect(again.last.index).toBe(2n);
    expect((await usedBytes(rig)).end).toBeLessThanOrEqual(end);
    await fill(again, 3n, 3n);
    expect((await reopened(rig, again)).last.index).toBe(3n);
  });
});
