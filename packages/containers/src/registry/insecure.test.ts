import { describe, expect, it } from 'vitest';
import { InsecureRegistries } from './insecure.js';

const names: Record<string, string[]> = { 'inside.example': ['10.1.2.3'], mixed: ['::1'] };
const resolve = async (host: string) => {
  const addresses = names[host];
  if (!addresses) throw new Error('no such host');
  return addresses;
};

describe('insecure registries', () => {
  it.each(['localhost', 'localhost:5000', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000'])(
    'counts this machine among them: %s',
    async (registry) => {
      expect(await new InsecureRegistries([], resolve).includes(registry)).toBe(true);
    },
  );

  it.each([
    ['registry.example:5000', true],
    ['REGISTRY.example:5000', true],
    ['registry.example', false],
    ['registry.example:5001', false],
    ['10.1.2.3:5000', true],
    ['10.2.0.1:5000', false],
    ['inside.example', true],
    ['mixed:80', true],
    ['unknown.example', false],
  ])('%s: %s', async (registry, expected) => {
    const registries = new InsecureRegistries(['registry.example:5000', '10.1.0.0/16'], resolve);
    expect(await registries.includes(registry)).toBe(expected);
  });

  it.each(['', 'http://registry.example', '10.0.0.0/33', 'a b'])('refuses %j', (entry) => {
    expect(() => new InsecureRegistries([entry])).toThrow(/is not valid/);
  });
});
