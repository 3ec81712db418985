import { describe, expect, it } from 'vitest';
import { parseChallenges } from './challenge.js';

describe('parseChallenges', () => {
  it('reads what Docker Hub sends', () => {
    const header =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",' +
      'scope="repository:a/b:pull,push"';
    expect(parseChallenges(header)).toEqual([
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,push',
        },
      },
    ]);
  });

  it('reads several challenges in one header', () => {
    const header = 'Basic realm="a, b", Bearer realm="c" , error=invalid_token';
    expect(parseChallenges(header)).toEqual([
      { scheme: 'basic', parameters: { realm: 'a, b' } },
      { scheme: 'bearer', parameters: { realm: 'c', error: 'invalid_token' } },
    ]);
  });

  it('undoes escapes and takes names in any case', () => {
    expect(parseChallenges('BASIC Realm="say \\"hello\\""')).toEqual([
      { scheme: 'basic', parameters: { realm: 'say "hello"' } },
    ]);
  });

  it.each(['', '   ', '="', '"unfinished', ',,,,'])('makes nothing of %j', (header) => {
    expect(parseChallenges(header)).toEqual([]);
  });
});
