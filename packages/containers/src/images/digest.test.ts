import { expect, it } from 'vitest';
import { chainIds, sha256Digest, shortId } from './digest.js';

it('chains layers as containerd does (vector of wire.md 6.6)', () => {
  const [one, two] = [`sha256:${'a'.repeat(64)}`, `sha256:${'b'.repeat(64)}`];
  const top = 'sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c';
  expect(chainIds([one, two])).toEqual([one, top]);
  expect(chainIds([])).toEqual([]);
});

it('shortens ids to twelve digits', () => {
  expect(shortId(sha256Digest(''))).toBe('e3b0c44298fc');
});
