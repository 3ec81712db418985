import { Code, SimRandom } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { compareProtection, NO_PROTECTION } from './key-protection.js';
import { unlockKeyWrapping } from './key-wrapping.js';
import { newUnlockKey } from './unlock-key.js';

const random = new SimRandom(1);
const [keyA, keyB] = [newUnlockKey(random), newUnlockKey(random)];

describe('compareProtection', () => {
  it('takes over another key of a newer version, and says when that locks', () => {
    expect(compareProtection(NO_PROTECTION, { unlockKey: keyA, version: 5n })).toEqual({
      replaces: true,
      locksNow: true,
    });
    const locked = { unlockKey: keyA, version: 5n };
    const rotated = compareProtection(locked, { unlockKey: keyB, version: 6n });
    expect(rotated).toEqual({ replaces: true, locksNow: false });
    const opened = compareProtection(locked, { unlockKey: undefined, version: 6n });
    expect(opened).toEqual({ replaces: true, locksNow: false });
  });

  it('ignores an older version, and a newer one with the same key', () => {
    const current = { unlockKey: keyA, version: 5n };
    const kept = { replaces: false, locksNow: false };
    expect(compareProtection(current, { unlockKey: keyB, version: 4n })).toEqual(kept);
    expect(compareProtection(current, { unlockKey: undefined, version: 4n })).toEqual(kept);
    expect(compareProtection(current, { unlockKey: keyA, version: 9n })).toEqual(kept);
  });

  it('refuses another key under the same version', () => {
    const current = { unlockKey: keyA, version: 5n };
    expect(() => compareProtection(current, { unlockKey: keyB, version: 5n })).toThrow(
      expect.objectContaining({ code: Code.FAILED_PRECONDITION }),
    );
    expect(() => compareProtection(current, { unlockKey: undefined, version: 5n })).toThrow();
  });
});

describe('unlockKeyWrapping', () => {
  const secret = random.bytes(32);

  it('unwraps what it wrapped, and what the key before it wrapped', () => {
    const before = unlockKeyWrapping([keyA], random);
    const after = unlockKeyWrapping([keyB, keyA], random);
    expect(after.name).toBe(before.name);
    expect(before.wrap(secret)).not.toEqual(before.wrap(secret));
    expect(before.unwrap(before.wrap(secret))).toEqual(secret);
    expect(after.unwrap(before.wrap(secret))).toEqual(secret);
    expect(() => before.unwrap(after.wrap(secret))).toThrow('another unlock key');
  });

  it('unwraps nothing that was changed or cut', () => {
    const wrapping = unlockKeyWrapping([keyA], random);
    const wrapped = wrapping.wrap(secret);
    for (let length = 0; length < wrapped.length; length++) {
      expect(() => wrapping.unwrap(wrapped.subarray(0, length))).toThrow();
    }
    for (let at = 0; at < wrapped.length; at++) {
      const changed = Uint8Array.from(wrapped);
      changed[at]! ^= 1;
      expect(() => wrapping.unwrap(changed)).toThrow();
    }
  });
});
