import { SimRandom } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import {
  generateJoinToken,
  parseJoinToken,
  roleOfToken,
  rootDigest,
  secretFromBytes,
} from './join-token.js';
import { formatUnlockKey, newUnlockKey, parseUnlockKey } from './unlock-key.js';

const EMPTY_DIGEST = '5oaq0bjhj6un82wg98mgigso5q7qlhc63je4gw7ivixqqhkd3p';

describe('join tokens', () => {
  it('match the published vectors', () => {
    expect(rootDigest('')).toBe(EMPTY_DIGEST);
    const counting = Uint8Array.from({ length: 16 }, (_, index) => index);
    expect(secretFromBytes(counting)).toBe('000avh9he7dy896m08s18udxr');
    expect(secretFromBytes(new Uint8Array(16).fill(0xff))).toBe('f5lxx1zz5pnorynqglhzmsp33');
  });

  it('are read as they are generated, always at their full length', () => {
    for (let seed = 0; seed < 50; seed++) {
      const token = generateJoinToken('', new SimRandom(seed));
      expect(token).toMatch(/^SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}$/);
      const { version, isFips, rootDigest: digest } = parseJoinToken(token);
      expect({ version, isFips, digest }).toEqual({
        version: 1,
        isFips: false,
        digest: EMPTY_DIGEST,
      });
    }
  });

  it('are read in their second version, which carries FIPS', () => {
    const rest = `${EMPTY_DIGEST}-${'a'.repeat(25)}`;
    expect(parseJoinToken(`SWMTKN-2-1-${rest}`)).toMatchObject({ version: 2, isFips: true });
    expect(parseJoinToken(`SWMTKN-2-0-${rest}`)).toMatchObject({ version: 2, isFips: false });
  });

  it.each([
    ['nothing', ''],
    ['another prefix', `SWMTKM-1-${EMPTY_DIGEST}-${'a'.repeat(25)}`],
    ['another version', `SWMTKN-3-${EMPTY_DIGEST}-${'a'.repeat(25)}`],
    ['a short digest', `SWMTKN-1-${EMPTY_DIGEST.slice(1)}-${'a'.repeat(25)}`],
    ['a long secret', `SWMTKN-1-${EMPTY_DIGEST}-${'a'.repeat(26)}`],
    ['capitals', `SWMTKN-1-${EMPTY_DIGEST}-${'A'.repeat(25)}`],
    ['one part more', `SWMTKN-1-${EMPTY_DIGEST}-${'a'.repeat(25)}-x`],
    ['version 2 without FIPS', `SWMTKN-2-${EMPTY_DIGEST}-${'a'.repeat(25)}`],
    ['version 2 with a FIPS of 2', `SWMTKN-2-2-${EMPTY_DIGEST}-${'a'.repeat(25)}`],
  ])('are refused: %s', (_what, token) => {
    expect(() => parseJoinToken(token)).toThrow('invalid join token');
  });

  it('give the role of the token they equal', () => {
    const tokens = { manager: 'SWMTKN-m', worker: 'SWMTKN-w' };
    expect(roleOfToken('SWMTKN-m', tokens)).toBe('manager');
    expect(roleOfToken('SWMTKN-w', tokens)).toBe('worker');
    expect(roleOfToken('SWMTKN-', tokens)).toBeUndefined();
    expect(roleOfToken('', { manager: '', worker: '' })).toBeUndefined();
  });
});

describe('unlock keys', () => {
  it('are read as they are written', () => {
    const key = newUnlockKey(new SimRandom(3));
    const text = formatUnlockKey(key);
    expect(text).toMatch(/^SWMKEY-1-[A-Za-z0-9+/]{43}$/);
    expect(parseUnlockKey(text)).toEqual(key);
    const zeros = `SWMKEY-1-${'A'.repeat(43)}`;
    expect(formatUnlockKey(new Uint8Array(32))).toBe(zeros);
  });

  it.each(['', 'SWMKEY-1-', `SWMKEY-2-${'A'.repeat(43)}`, `SWMKEY-1-${'A'.repeat(42)}`, 'x'])(
    'are refused: %s',
    (text) => {
      expect(() => parseUnlockKey(text)).toThrow('invalid key string');
    },
  );
});
