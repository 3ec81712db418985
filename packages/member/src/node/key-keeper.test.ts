import { SimClock, SimDisk, SimRandom } from '@skep/platform';
import type { KeyWrapping } from '@skep/raft';
import { beforeEach, describe, expect, it } from 'vitest';
import { NodeIdentityStore } from '../identity/index.js';
import { FakeSwarm } from '../identity/testing/fake-swarm.js';
import { KeyKeeper, type WrappingChange } from './key-keeper.js';

const FIRST = new Uint8Array(32).fill(1);
const SECOND = new Uint8Array(32).fill(2);
const DATA_KEY = new Uint8Array(32).fill(7);

describe('KeyKeeper', () => {
  const clock = new SimClock();
  const random = new SimRandom(4);
  let disk: SimDisk;
  let keeper: KeyKeeper;

  beforeEach(async () => {
    disk = new SimDisk();
    const store = await NodeIdentityStore.open({ disk, clock, random, directory: '/swarm' });
    await store.adopt(new FakeSwarm(clock, random).member('manager'));
    keeper = new KeyKeeper(store, random);
  });

  /** A change of the unlock key during which the machine loses its power. */
  async function crashDuring(unlockKey: Uint8Array | undefined, version: bigint): Promise<void> {
    const lost = new Error('the power is gone');
    const changing = keeper.protect(unlockKey, version, () => Promise.reject(lost));
    await expect(changing).rejects.toBe(lost);
    disk.crash();
    const options = { disk, clock, random, directory: '/swarm', unlockKey };
    keeper = new KeyKeeper(await NodeIdentityStore.open(options), random);
  }

  async function change(unlockKey: Uint8Array | undefined, version: bigint) {
    const changes: WrappingChange[] = [];
    await keeper.protect(unlockKey, version, async (wanted) => void changes.push(wanted));
    return changes;
  }

  /** Whether a key wrapped in the one way comes out by the other, as Raft's key file has it. */
  function opens(wrapping: KeyWrapping, wrappedBy: KeyWrapping): boolean {
    const used = [wrapping, wrapping.before].find((way) => way?.name === wrappedBy.name);
    return used?.unwrap(wrappedBy.wrap(DATA_KEY)).every((byte) => byte === 7) ?? false;
  }

  it('rewraps when the key changes, with a new data key when one lay open before', async () => {
    const open = keeper.wrapping;
    expect(await change(FIRST, 5n)).toMatchObject([{ rotate: true }]);
    const first = keeper.wrapping;
    expect(opens(first, open)).toBe(false);
    expect(await change(FIRST, 6n)).toEqual([]);
    expect(await change(SECOND, 7n)).toMatchObject([{ rotate: false }]);
    expect(() => opens(keeper.wrapping, first)).toThrow('another unlock key');
  });

  it('opens what was not locked yet when a crash came, and locks it then', async () => {
    const open = keeper.wrapping;
    await crashDuring(FIRST, 5n);
    const { wrapping } = keeper;
    expect(wrapping.name).not.toBe(open.name);
    expect(opens(wrapping, open) && opens(wrapping, wrapping)).toBe(true);
    expect(await change(FIRST, 5n)).toMatchObject([{ rotate: true }]);
    expect(opens(keeper.wrapping, open)).toBe(false);
  });

  it('opens what is still under the key before when a crash came', async () => {
    await change(FIRST, 5n);
    const first = keeper.wrapping;
    await crashDuring(SECOND, 6n);
    expect(opens(keeper.wrapping, first) && opens(keeper.wrapping, keeper.wrapping)).toBe(true);
    expect(await change(SECOND, 6n)).toMatchObject([{ rotate: false }]);
    expect(() => opens(keeper.wrapping, first)).toThrow('another unlock key');
  });

  it('opens what is still locked when a crash came while it was unlocked for good', async () => {
    await change(FIRST, 5n);
    const first = keeper.wrapping;
    await crashDuring(undefined, 6n);
    expect(opens(keeper.wrapping, first)).toBe(true);
    await change(undefined, 6n);
    expect(opens(keeper.wrapping, first)).toBe(false);
  });
});
