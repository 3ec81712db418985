import { Code, SimDisk, settle } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { LogFailedError } from '../errors.js';
import { ENTRY_PAYLOAD_BYTES_MAX } from '../limits.js';
import { SoloRig } from './testing.js';

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, n) => `text ${first + n}`);

describe('RaftNode alone', () => {
  it('tells of terms and indexes as they pass', async () => {
    const rig = new SoloRig();
    const story: string[] = [];
    const tell = async (what: string, run: () => Promise<unknown>) => {
      await run();
      const { term, appliedIndex, members } = node.status;
      const texts = rig.machine.texts.join(',');
      story.push(`${what}: term ${term} applied ${appliedIndex} [${texts}] ${members[0]?.address}`);
    };
    let node = rig.make();
    const start = async () => void (node = await rig.start());
    await tell('found', start);
    await tell('write', () => rig.write(node, 'a', 'b'));
    await node.stop();
    await tell('stop and start', start);
    rig.disk.crash();
    await tell('crash and start', start);
    await tell('write', () => rig.write(node, 'c'));
    await node.stop();
    rig.options.address = '10.0.0.9:2377';
    await tell('start with another address', start);
    await node.stop();
    await tell('start', start);
    expect(story).toEqual([
      'found: term 2 applied 2 [] 10.0.0.1:2377',
      'write: term 2 applied 4 [a,b] 10.0.0.1:2377',
      'stop and start: term 3 applied 5 [a,b] 10.0.0.1:2377',
      'crash and start: term 4 applied 6 [a,b] 10.0.0.1:2377',
      'write: term 4 applied 7 [a,b,c] 10.0.0.1:2377',
      'start with another address: term 5 applied 9 [a,b,c] 10.0.0.9:2377',
      'start: term 6 applied 10 [a,b,c] 10.0.0.9:2377',
    ]);
  });

  it('keeps its raft id, and refuses the log of another node', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    const { raftId } = node.status;
    expect(raftId).toBeGreaterThan(2n ** 40n);
    expect(node.status.leaderId).toBe(raftId);
    await node.stop();
    const again = await rig.start();
    expect(again.status.raftId).toBe(raftId);
    await again.stop();
    rig.options.nodeId = 'n2';
    await expect(rig.start()).rejects.toMatchObject({ code: Code.FAILED_PRECONDITION });
  });

  it('gives each proposal its index at once, and applies all in one sync', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    await settle();
    const before = rig.disk.operations;
    const indexes: bigint[] = [];
    for (const text of numbers(1, 20)) {
      indexes.push(node.nextIndex);
      node.propose(Buffer.from(text));
    }
    expect(indexes).toEqual(numbers(1, 20).map((_, n) => BigInt(n + 3)));
    expect(rig.machine.texts).toEqual([]);
    await settle();
    expect(rig.machine.texts).toEqual(numbers(1, 20));
    expect(rig.disk.operations - before).toBe(2);
    expect(rig.machine.lastIndex).toBe(22n);
  });

  it('takes proposals made while applying', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    rig.machine.onApply = (text) => {
      if (text.length > 0 && text.length < 5) node.propose(Buffer.from(`${text}x`));
    };
    node.propose(Buffer.from('x'));
    for (let turn = 0; turn < 5; turn++) await settle();
    expect(rig.machine.texts).toEqual(['x', 'xx', 'xxx', 'xxxx', 'xxxxx']);
  });

  it('refuses what is too large, too much, or too early', async () => {
    const rig = new SoloRig();
    rig.settings.snapshotIntervalEntries = 0;
    const early = rig.make();
    expect(() => early.nextIndex).toThrow('not ready');
    const node = await rig.start();
    const propose = (bytes: number) => () => node.propose(new Uint8Array(bytes));
    expect(propose(0)).toThrow(expect.objectContaining({ code: Code.INVALID_ARGUMENT }));
    const tooLarge = propose(ENTRY_PAYLOAD_BYTES_MAX + 1);
    expect(tooLarge).toThrow(expect.objectContaining({ code: Code.INVALID_ARGUMENT }));
    let accepted = 0;
    const tooMuch = () => {
      for (; ; accepted++) node.propose(new Uint8Array(ENTRY_PAYLOAD_BYTES_MAX));
    };
    expect(tooMuch).toThrow(expect.objectContaining({ code: Code.RESOURCE_EXHAUSTED }));
    expect(accepted).toBe(42);
    await node.stop();
    expect(rig.machine.lastIndex).toBe(44n);
    expect(propose(1)).toThrow(expect.objectContaining({ code: Code.FAILED_PRECONDITION }));
  });

  it('stops for good when a sync fails, once', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    rig.disk.injectFault({ code: 'EIO', operation: 'datasync', path: '.log' });
    node.propose(Buffer.from('lost'));
    await settle();
    node.stop();
    await settle();
    expect(rig.fatal).toHaveLength(1);
    expect(rig.fatal[0]).toBeInstanceOf(LogFailedError);
    expect(rig.machine.texts).toEqual([]);
    expect(rig.machine.aborted[0]).toMatchObject({ code: Code.UNAVAILABLE });
    expect(() => node.nextIndex).toThrow('not ready');
  });

  it('cancels what it took when the space for it goes away', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    await rig.write(node, 'kept');
    const { nextIndex } = node;
    rig.disk.injectFault({ code: 'ENOSPC', operation: 'write', path: '.log' });
    for (const text of ['a', 'b']) node.propose(Buffer.from(text));
    await settle();
    expect(rig.machine.aborted).toHaveLength(1);
    expect(rig.machine.aborted[0]).toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
    // One entry opens the term after it: that is how it forgets what it could not write.
    expect(node.nextIndex).toBe(nextIndex + 1n);
    await rig.write(node, 'c');
    rig.disk.crash();
    await rig.start();
    expect(rig.machine.texts).toEqual(['kept', 'c']);
  });

  it('refuses writes on a full disk, starts on one, and goes on when space returns', async () => {
    const rig = new SoloRig(1, new SimDisk({ capacityBytes: 30_000 }));
    let node = await rig.start();
    let written = 0;
    const fill = async () => {
      for (; rig.machine.aborted.length === 0; written = rig.machine.texts.length) {
        node.propose(Buffer.alloc(200, `${written}`));
        await settle();
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: Code.RESOURCE_EXHAUSTED });
    expect(written).toBeGreaterThan(20);
    expect(rig.machine.texts).toHaveLength(written);
    const { nextIndex } = node;
    expect(nextIndex).toBe(rig.machine.lastIndex + 1n);
    expect(() => node.propose(new Uint8Array(200))).toThrow('no space left');
    rig.disk.crash();
    node = await rig.start();
    expect(rig.machine.texts).toHaveLength(written);
    expect(node.nextIndex).toBe(nextIndex + 1n);
    rig.disk.capacityBytes = 60_000;
    await rig.clock.advance(2_000);
    expect(rig.fatal).toEqual([]);
    try {
      node.propose(Buffer.from('first try starts the reservation'));
    } catch {}
    await settle();
    await rig.write(node, 'fits again');
    expect(rig.machine.texts.at(-1)).toBe('fits again');
  });
});

describe('RaftNode alone and snapshots', () => {
  async function snapshotRig(): Promise<SoloRig> {
    const rig = new SoloRig();
    Object.assign(rig.settings, { snapshotIntervalEntries: 50, entriesKeptBehind: 5 });
    return rig;
  }

  it('takes them by interval, keeps one old, and drops the log behind', async () => {
    const rig = await snapshotRig();
    const node = await rig.start();
    await rig.write(node, ...numbers(1, 260));
    await settle();
    expect(await rig.disk.list('/raft/snapshots')).toHaveLength(2);
    const [oldest] = (await rig.disk.list('/raft/log')).sort();
    expect(oldest).not.toMatch(/^0000000000000001-/);
    await node.stop();
    await rig.start();
    expect(rig.machine.texts).toEqual(numbers(1, 260));
  });

  it('falls back to the older one when the newest is damaged, else gives up', async () => {
    const rig = await snapshotRig();
    const node = await rig.start();
    const { raftId } = node.status;
    await rig.write(node, ...numbers(1, 260));
    await node.stop();
    const [older, newest] = await rig.disk.list('/raft/snapshots');
    rig.disk.flipBits(`/raft/snapshots/${newest}`, 100);
    const again = await rig.start();
    expect(rig.machine.texts).toEqual(numbers(1, 260));
    expect(again.status.members[0]?.raftId).toBe(raftId);
    await again.stop();
    rig.disk.flipBits(`/raft/snapshots/${older}`, 100);
    await expect(rig.start()).rejects.toThrow('damaged');
  });

  it('goes on without one while the disk is full', async () => {
    const rig = await snapshotRig();
    const node = await rig.start();
    rig.disk.injectFault({ code: 'ENOSPC', operation: 'write', path: '.snap' });
    await rig.write(node, ...numbers(1, 52));
    await settle();
    expect(await rig.disk.list('/raft/snapshots')).toEqual([]);
    await rig.write(node, ...numbers(53, 60));
    await settle();
    expect(await rig.disk.list('/raft/snapshots')).toHaveLength(1);
    expect(rig.fatal).toEqual([]);
  });

  it('takes them less often, the larger they are', async () => {
    const rig = new SoloRig();
    Object.assign(rig.settings, { snapshotIntervalEntries: 4, segmentBytes: 4_000_000 });
    const node = await rig.start();
    const newest = async () => (await rig.disk.list('/raft/snapshots')).at(-1);
    const large = (name: string) => `${name}${'x'.repeat(1_400_000)}`;
    const small = (from: number) => numbers(from, from + 20);
    await rig.write(node, ...['a', 'b', 'c', 'd', 'e'].map(large), ...small(1));
    await rig.clock.advance(10);
    const first = await newest();
    expect(first).toBeDefined();
    await rig.write(node, ...small(101));
    await rig.clock.advance(10);
    expect(await newest()).toBe(first);
    await rig.write(node, ...['f', 'g', 'h', 'i', 'j', 'k'].map(large));
    await rig.clock.advance(10);
    expect(await newest()).not.toBe(first);
    await node.stop();
  });

  it('stops when a snapshot cannot be synced', async () => {
    const rig = await snapshotRig();
    const node = await rig.start();
    rig.disk.injectFault({ code: 'EIO', operation: 'datasync', path: '.snap' });
    await rig.write(node, ...numbers(1, 48));
    await settle();
    expect(rig.fatal).toHaveLength(1);
  });

  it('refuses a log without its key, and snapshots without their log', async () => {
    const rig = await snapshotRig();
    const node = await rig.start();
    await rig.write(node, ...numbers(1, 60));
    await node.stop();
    expect(rig.disk.modeOf('/raft/log.key')).toBe(0o600);
    const key = await rig.disk.readFile('/raft/log.key');
    await rig.disk.remove('/raft/log.key');
    await expect(rig.start()).rejects.toThrow('log.key: missing');
    await rig.disk.writeFileAtomic('/raft/log.key', key);
    await rig.disk.remove('/raft/log');
    await expect(rig.start()).rejects.toThrow('there are snapshots, and no log');
  });
});
