import { describe, expect, it } from 'vitest';
import { idFromBytes, newContainerId, newId } from './ids.js';
import { SimRandom } from './random.js';

describe('ids', () => {
  it('matches the published vector', () => {
    const bytes = Uint8Array.from({ length: 17 }, (_, index) => (index === 0 ? 0x81 : index + 1));
    expect(idFromBytes(bytes)).toBe('ib7wwa7iw3swndjw6xned85q8');
  });

  it('always has 25 characters of the alphabet', () => {
    const random = new SimRandom(1);
    for (let round = 0; round < 200; round++) expect(newId(random)).toMatch(/^[0-9a-z]{25}$/);
  });

  it('makes container ids of 64 hexadecimal characters', () => {
    expect(newContainerId(new SimRandom(2))).toMatch(/^[0-9a-f]{64}$/);
  });
});
