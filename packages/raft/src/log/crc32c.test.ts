import { SimRandom } from '@skep/platform';
import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.js';

/** The definition, bit by bit. */
function slowCrc32c(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

describe('crc32c', () => {
  it('matches the check value and the vectors of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  it('equals the slow definition at every length, whole and in two parts', () => {
    const data = new SimRandom(7).bytes(300);
    for (let length = 0; length <= data.length; length++) {
      const part = data.subarray(0, length);
      const expected = slowCrc32c(part);
      expect(crc32c(part)).toBe(expected);
      const cut = length >> 1;
      expect(crc32c(part.subarray(cut), crc32c(part.subarray(0, cut)))).toBe(expected);
    }
  });
});
