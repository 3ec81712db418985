import { SimRandom, settle } from '@skep/platform';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyLockedError, type KeyWrapping, noWrapping } from '../keys/key-file.js';
import type { RaftNode } from './raft-node.js';
import { SoloRig } from './testing.js';

/** Stands for a key that only people know. */
function lock(name: string): KeyWrapping {
  const mask = name.charCodeAt(name.length - 1);
  const turn = (key: Uint8Array) => key.map((byte) => byte ^ mask);
  return { name, wrap: turn, unwrap: turn };
}

async function keyFile(rig: SoloRig): Promise<{ wrapping: string; key: string; old: string[] }> {
  return JSON.parse(Buffer.from(await rig.disk.readFile('/raft/log.key')).toString());
}

/** Key ids of all files of log and snapshots. */
async function keyIds(rig: SoloRig): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const [directory, at] of [
    ['/raft/log', 24],
    ['/raft/snapshots', 16],
  ] as const) {
    for (const name of await rig.disk.list(directory)) {
      if (name.endsWith('.spare')) continue;
      const bytes = Buffer.from(await rig.disk.readFile(`${directory}/${name}`));
      ids.add(bytes.subarray(at, at + 8).toString('hex'));
    }
  }
  return ids;
}

async function quiet(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await settle();
}

describe('the data key', () => {
  it('is wrapped in another way without being changed', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    await rig.write(node, 'a');
    const before = await keyFile(rig);
    await node.rewrapKey(lock('lock 1'), false);
    const after = await keyFile(rig);
    expect(after.wrapping).toBe('lock 1');
    expect(after.key).not.toBe(before.key);
    await rig.write(node, 'b');
    await node.stop();
    await expect(rig.start()).rejects.toBeInstanceOf(KeyLockedError);
    rig.options.keyWrapping = lock('lock 1');
    await rig.start();
    expect(rig.machine.texts).toEqual(['a', 'b']);
  });

  it('is found as it was wrapped before, where a crash came in between', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    await rig.write(node, 'a');
    await node.stop();
    rig.options.keyWrapping = { ...lock('lock 1'), before: noWrapping };
    const again = await rig.start();
    expect(rig.machine.texts).toEqual(['a']);
    expect((await keyFile(rig)).wrapping).toBe('none');
    await again.rewrapKey(lock('lock 1'), false);
    expect((await keyFile(rig)).wrapping).toBe('lock 1');
    await again.stop();
    await rig.start();
    expect(rig.machine.texts).toEqual(['a']);
  });

  it('is replaced for all that is written from then on, and soon for the rest', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    await rig.write(node, 'a', 'b');
    const [old] = await keyIds(rig);
    await node.rewrapKey(lock('lock 1'), true);
    await quiet();
    const ids = await keyIds(rig);
    expect(ids.has(old!)).toBe(false);
    expect(ids.size).toBe(1);
    expect((await keyFile(rig)).old).toEqual([]);
    await rig.write(node, 'c');
    rig.disk.crash();
    rig.options.keyWrapping = lock('lock 1');
    await rig.start();
    expect(rig.machine.texts).toEqual(['a', 'b', 'c']);
  });

  it('is replaced twice in a row, and while writes go on', async () => {
    const rig = new SoloRig();
    Object.assign(rig.settings, { snapshotIntervalEntries: 7, entriesKeptBehind: 2 });
    const node = await rig.start();
    for (let n = 0; n < 40; n++) node.propose(Buffer.from(`text ${n}`));
    const rotations = [node.rewrapKey(lock('lock 1'), true), node.rewrapKey(lock('lock 2'), true)];
    for (let n = 40; n < 80; n++) {
      node.propose(Buffer.from(`text ${n}`));
      await settle();
    }
    await Promise.all(rotations);
    await quiet();
    expect((await keyIds(rig)).size).toBe(1);
    expect((await keyFile(rig)).old).toEqual([]);
    await node.stop();
    rig.options.keyWrapping = lock('lock 2');
    await rig.start();
    expect(rig.machine.texts).toHaveLength(80);
  });

  it('is finished with after a restart in between, also where no space was left', async () => {
    const rig = new SoloRig();
    const node = await rig.start();
    await rig.write(node, 'a');
    rig.disk.injectFault({ code: 'ENOSPC', operation: 'write', path: '.snap', times: 1 });
    await node.rewrapKey(lock('lock 1'), true);
    await quiet();
    expect((await keyFile(rig)).old).toHaveLength(1);
    await node.stop();
    rig.options.keyWrapping = lock('lock 1');
    await rig.start();
    await quiet();
    expect((await keyFile(rig)).old).toEqual([]);
    expect((await keyIds(rig)).size).toBe(1);
    expect(rig.machine.texts).toEqual(['a']);
  });

  it('is never lost in a power cut, and nothing with it', async () => {
    const run = async (cuts: number[], seed: number) => {
      const rig = new SoloRig(seed);
      Object.assign(rig.settings, { snapshotIntervalEntries: 9, entriesKeptBehind: 2 });
      const wrappings = [noWrapping];
      let acknowledged: string[] = [];
      let proposed = 0;
      for (const cut of cuts) {
        rig.disk.cutPowerAt(rig.disk.operations + cut);
        try {
          const node = await startUnder(rig, wrappings);
          expect(rig.machine.texts.slice(0, acknowledged.length)).toEqual(acknowledged);
          while (rig.fatal.length === 0) {
            for (let n = 0; n < 4; n++) node.propose(Buffer.from(`text ${proposed++}`));
            await settle();
            const wrapping = lock(`lock ${wrappings.length}`);
            wrappings.push(wrapping);
            await node.rewrapKey(wrapping, wrappings.length % 3 > 0);
          }
        } catch (error) {
          expect(String(error)).toMatch(/power is cut|cannot be written|not ready/);
        }
        if (rig.machine.texts.length > acknowledged.length) acknowledged = [...rig.machine.texts];
        await rig.crash(new SimRandom(seed + cut));
        rig.fatal.length = 0;
      }
      const node = await startUnder(rig, wrappings);
      expect(rig.machine.texts.slice(0, acknowledged.length)).toEqual(acknowledged);
      await quiet();
      expect((await keyFile(rig)).old).toEqual([]);
      expect((await keyIds(rig)).size).toBe(1);
      await node.stop();
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
        fc.nat(),
        run,
      ),
      { numRuns: 60, seed: 20_260_102 },
    );
  }, 60_000);
});

/**
 * Starts with whichever wrapping the key file has: the last one asked for, or the one before it.
 */
async function startUnder(rig: SoloRig, wrappings: KeyWrapping[]): Promise<RaftNode> {
  for (const wrapping of wrappings.toReversed()) {
    rig.options.keyWrapping = wrapping;
    try {
      return await rig.start();
    } catch (error) {
      if (!(error instanceof KeyLockedError)) throw error;
    }
  }
  throw new Error('no wrapping fits');
}
