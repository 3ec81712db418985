import type { ClusterObject } from '@skep/wire';
import { describe, expect, it } from 'vitest';
import { newBootstrapKeys } from '../cluster/bootstrap-keys.js';
import { clusterOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { KeyManager } from './key-manager.js';

const HOUR_MS = 3_600_000;

async function started(withKeys = true) {
  const room = new SimRoom();
  const { keys, clock } = newBootstrapKeys(room.random);
  await room.put(
    'cluster',
    withKeys
      ? clusterOf({ networkBootstrapKeys: keys, encryptionKeyLamportClock: clock })
      : clusterOf(),
  );
  const manager = new KeyManager(room.options);
  manager.start();
  await room.settle();
  return { room, manager, keysOf: () => room.get('cluster', 'cluster') };
}

const ring = ({ networkBootstrapKeys }: ClusterObject, subsystem: string) =>
  networkBootstrapKeys.filter((key) => key.subsystem === subsystem);

const text = (cluster: ClusterObject) =>
  cluster.networkBootstrapKeys.map(({ key }) => Buffer.from(key).toString('hex'));

describe('KeyManager', () => {
  it('takes over the keys it finds, for twelve hours', async () => {
    const { room, keysOf } = await started();
    const entries = room.proposer.entries.length;
    await room.clock.advance(12 * HOUR_MS - 1);
    expect(room.proposer.entries).toHaveLength(entries);
    await room.clock.advance(1);
    expect(room.proposer.entries).toHaveLength(entries + 1);
    expect(keysOf().networkBootstrapKeys).toHaveLength(6);
  });

  it('puts a new key in the place of the oldest of each subsystem, in one write', async () => {
    const { room, keysOf } = await started();
    for (let round = 1; round <= 4; round++) {
      const before = keysOf();
      const entries = room.proposer.entries.length;
      await room.clock.advance(12 * HOUR_MS);
      const after = keysOf();
      expect(room.proposer.entries).toHaveLength(entries + 1);
      expect(after.encryptionKeyLamportClock).toBe(before.encryptionKeyLamportClock + 2n);
      for (const subsystem of ['networking:gossip', 'networking:ipsec']) {
        const [old, now] = [ring(before, subsystem), ring(after, subsystem)];
        expect(now).toHaveLength(3);
        expect(now.slice(0, 2)).toEqual(old.slice(1));
        expect(now[2]?.lamportTime).toBeGreaterThan(old[2]!.lamportTime);
        expect(now[2]?.key).toHaveLength(16);
      }
      const times = after.networkBootstrapKeys.map(({ lamportTime }) => lamportTime);
      expect(new Set(times).size).toBe(6);
      expect(times.toSorted((a, b) => Number(a - b)).at(-1)).toBe(after.encryptionKeyLamportClock);
    }
  });

  it('counts the time from the start of each leadership', async () => {
    const { room, manager, keysOf } = await started();
    const before = text(keysOf());
    await room.clock.advance(11 * HOUR_MS);
    await manager.stop();
    expect(room.clock.pendingTimers).toBe(0);
    await room.clock.advance(5 * HOUR_MS);
    manager.start();
    await room.clock.advance(12 * HOUR_MS - 1);
    expect(text(keysOf())).toEqual(before);
    await room.clock.advance(1);
    expect(text(keysOf())).not.toEqual(before);
  });

  it('makes the first keys where there are none', async () => {
    const { room, keysOf } = await started(false);
    expect(keysOf().networkBootstrapKeys).toHaveLength(6);
    const before = text(keysOf());
    await room.clock.advance(12 * HOUR_MS);
    expect(text(keysOf())).not.toEqual(before);
  });

  it('does not rotate twice when it cannot know whether it did', async () => {
    const room = new SimRoom({ automatic: false });
    const { keys, clock } = newBootstrapKeys(room.random);
    const put = room.put(
      'cluster',
      clusterOf({ networkBootstrapKeys: keys, encryptionKeyLamportClock: clock }),
    );
    room.proposer.commit();
    await put;
    const manager = new KeyManager(room.options);
    manager.start();
    await room.clock.advance(12 * HOUR_MS);
    expect(room.proposer.entries).toHaveLength(2);
    room.proposer.lose(new Error('no longer the leader'));
    await room.clock.advance(HOUR_MS);
    expect(room.proposer.entries).toHaveLength(1);
    await room.clock.advance(11 * HOUR_MS);
    expect(room.proposer.entries).toHaveLength(2);
    room.proposer.commit();
    await manager.stop();
  });

  it('rotates late while the log takes nothing, and then in time again', async () => {
    const { room, keysOf } = await started();
    room.proposer.refuse(new Error('disk full'));
    await room.clock.advance(13 * HOUR_MS);
    const before = keysOf().encryptionKeyLamportClock;
    room.proposer.refuse(undefined);
    await room.clock.advance(60_000);
    expect(keysOf().encryptionKeyLamportClock).toBe(before + 2n);
    await room.clock.advance(11 * HOUR_MS);
    expect(keysOf().encryptionKeyLamportClock).toBe(before + 4n);
  });
});
