import { describe, expect, it } from 'vitest';
import { globMatches } from './glob.js';
import { parseInstantMs } from './instant.js';

describe('globMatches', () => {
  it.each([
    ['busy*', 'busybox', true],
    ['busy*', 'team/busybox', false],
    ['*/busybox', 'team/busybox', true],
    ['*', 'a/b', false],
    ['busyb?x:1.*', 'busybox:1.36', true],
    ['a.c', 'abc', false],
    ['[a-c]pp', 'bpp', true],
    ['[a-c]pp', 'dpp', false],
    ['[z-a]', 'z', false],
    ['a[', 'a[', true],
    ['(a|b)+$', 'a', false],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(globMatches(pattern, name)).toBe(expected);
  });
});

describe('parseInstantMs', () => {
  const nowMs = 10_000_000;

  it.each([
    ['1h30m', nowMs - 5_400_000],
    ['10s', nowMs - 10_000],
    ['1500ms', nowMs - 1_500],
    ['5', 5_000],
    ['1.5', 1_500],
    ['1970-01-01T00:00:01Z', 1_000],
  ])('%s', (text, ms) => {
    expect(parseInstantMs(text, nowMs)).toBe(ms);
  });

  it.each(['', 'yesterday', '1x', '-5m'])('refuses %j', (text) => {
    expect(() => parseInstantMs(text, nowMs)).toThrow('failed to parse value as time or duration');
  });
});
