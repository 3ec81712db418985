import { describe, expect, it } from 'vitest';
import {
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  storedReference,
} from './reference.js';

const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('a reference', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/team/app', 'docker.io/team/app:latest', 'team/app:latest'],
    ['team/app:v1', 'docker.io/team/app:v1', 'team/app:v1'],
    ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
    ['localhost:5000/a/b/c:v', 'localhost:5000/a/b/c:v', 'localhost:5000/a/b/c:v'],
    ['10.0.0.1:5000/app', '10.0.0.1:5000/app:latest', '10.0.0.1:5000/app:latest'],
    ['[::1]:5000/app', '[::1]:5000/app:latest', '[::1]:5000/app:latest'],
    ['Registry/app', 'Registry/app:latest', 'Registry/app:latest'],
    ['gcr.io/a_b/c__d-e.f', 'gcr.io/a_b/c__d-e.f:latest', 'gcr.io/a_b/c__d-e.f:latest'],
    [`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
    [`busybox:1@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`, `busybox@${DIGEST}`],
    ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ])('%s is stored as %s and shown as %s', (text, canonical, familiar) => {
    const reference = storedReference(parseReference(text));
    expect(canonicalString(reference)).toBe(canonical);
    expect(familiarString(reference)).toBe(familiar);
    expect(canonicalString(storedReference(parseReference(familiar)))).toBe(canonical);
  });

  it('keeps both tag and digest until it is stored', () => {
    const reference = parseReference(`team/app:v1@${DIGEST}`);
    expect(reference).toMatchObject({ tag: 'v1', digest: DIGEST });
    expect(familiarName(reference)).toBe('team/app');
  });

  it.each([
    ['', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a/', 'invalid reference format'],
    ['/a', 'invalid reference format'],
    ['a..b', 'invalid reference format'],
    ['a:', 'invalid reference format'],
    ['a:-v', 'invalid reference format'],
    [`a:${'v'.repeat(129)}`, 'invalid reference format'],
    ['a@sha256:12', 'invalid reference format'],
    ['https://example.com/a', 'invalid reference format'],
    ['a@sha512:'.concat('a'.repeat(128)), 'unsupported digest algorithm'],
    ['a@sha256:'.concat('a'.repeat(63)), 'invalid checksum digest length'],
    [
      'docker.io/Team/App',
      'invalid reference format: repository name (Team/App) must be lowercase',
    ],
    ['App:v1', 'invalid reference format: repository name (library/App) must be lowercase'],
    ['a/'.repeat(130).concat('a'), 'repository name must not be more than 255 characters'],
    [
      'b'.repeat(64),
      `invalid repository name (${'b'.repeat(64)}), cannot specify 64-byte hexadecimal strings`,
    ],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ message }));
  });
});
