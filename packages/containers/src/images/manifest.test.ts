import { describe, expect, it } from 'vitest';
import { choosePlatform, type IndexEntry, parseManifestOrIndex } from './manifest.js';
import { DOCKER_INDEX, OCI_INDEX, OCI_MANIFEST } from './media-types.js';
import { formatPlatform, type Platform, parsePlatform, platformFit } from './platform.js';

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const bytes = (document: unknown) => Buffer.from(JSON.stringify(document));

function entry(letter: string, text?: string): IndexEntry {
  const common = { mediaType: OCI_MANIFEST, digest: digest(letter), size: 1, annotations: {} };
  return text === undefined ? common : { ...common, platform: parsePlatform(text) };
}

describe('choosePlatform', () => {
  const index = {
    manifests: [
      entry('a', 'linux/arm/v6'),
      entry('b', 'linux/arm/v7'),
      entry('c', 'linux/amd64'),
      entry('d', 'linux/arm64/v8'),
      entry('e', 'unknown/unknown'),
      entry('f', 'windows/amd64'),
    ],
  };

  it.each([
    ['linux/amd64', 'c'],
    ['linux/arm64', 'd'],
    ['linux/arm/v7', 'b'],
    ['linux/arm/v8', 'a'],
    ['linux/arm', 'b'],
    ['windows/amd64', 'f'],
  ])('takes for %s the manifest %s', (wanted, letter) => {
    expect(choosePlatform(index, parsePlatform(wanted))?.digest).toBe(digest(letter));
  });

  it('takes none where none runs', () => {
    expect(choosePlatform(index, parsePlatform('linux/riscv64'))).toBeUndefined();
  });

  it('takes the only one that does not say where it runs', () => {
    const lone = { manifests: [entry('a')] };
    expect(choosePlatform(lone, parsePlatform('linux/amd64'))?.digest).toBe(digest('a'));
  });
});

describe('platforms', () => {
  it.each([
    ['linux/x86_64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['Linux/ARM/v7', 'linux/arm/v7'],
    ['arm64', 'linux/arm64'],
  ])('%s means %s', (text, meaning) => {
    expect(formatPlatform(parsePlatform(text))).toBe(meaning);
  });

  it.each(['', 'linux/', 'a/b/c/d', 'linux/amd 64'])('%j is none', (text) => {
    expect(() => parsePlatform(text)).toThrow(/unknown operating system or architecture/);
  });

  it('does not run newer variants', () => {
    const v2: Platform = { os: 'linux', architecture: 'amd64', variant: 'v2' };
    expect(platformFit(parsePlatform('linux/amd64'), v2)).toBe(0);
    expect(platformFit(v2, parsePlatform('linux/amd64'))).toBe(1);
  });
});

describe('parseManifestOrIndex', () => {
  const manifest = {
    config: { mediaType: 'c', digest: digest('a'), size: 1 },
    layers: [{ mediaType: 'l', digest: digest('b'), size: 2 }],
  };

  it('reads a manifest, whatever the transport calls it', () => {
    expect(parseManifestOrIndex(bytes(manifest), '')).toEqual({
      mediaType: OCI_MANIFEST,
      manifest,
    });
  });

  it('reads an index by its type, or by its list', () => {
    for (const mediaType of [DOCKER_INDEX, OCI_INDEX, '']) {
      const parsed = parseManifestOrIndex(bytes({ manifests: [] }), mediaType);
      expect('index' in parsed).toBe(true);
    }
  });

  it.each([
    ['no JSON', Buffer.from('{')],
    ['a list', bytes([])],
    ['no layers', bytes({ config: manifest.config })],
    ['no config', bytes({ layers: [] })],
    ['a bad digest', bytes({ ...manifest, layers: [{ digest: '../../etc', size: 1 }] })],
    ['a negative size', bytes({ ...manifest, layers: [{ digest: digest('b'), size: -1 }] })],
    ['too many layers', bytes({ ...manifest, layers: Array(257).fill(manifest.layers[0]) })],
  ])('refuses %s', (_, data) => {
    expect(() => parseManifestOrIndex(data, OCI_MANIFEST)).toThrow();
  });
});
