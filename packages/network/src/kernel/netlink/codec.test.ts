import { describe, expect, it } from 'vitest';
import {
  attribute,
  decodeAttributes,
  decodeError,
  decodeMessages,
  decodeText,
  encodeMessage,
  Flag,
  nested,
  text,
  u16be,
  u32,
} from './codec.js';

describe('netlink framing', () => {
  it('pads a message to four bytes but states its true length', () => {
    const bytes = encodeMessage({ type: 16, flags: 5, sequence: 7, body: Buffer.from('abcde') });
    expect(bytes.toString('hex')).toBe('150000001000050007000000000000006162636465000000');
  });

  it('reads back several messages of one datagram', () => {
    const one = { type: 16, flags: 1, sequence: 2, body: Buffer.from('abc') };
    const two = { type: 20, flags: 3, sequence: 4, body: Buffer.from('wxyz') };
    const read = decodeMessages(Buffer.concat([encodeMessage(one), encodeMessage(two)]));
    expect(read.map(({ type, body }) => [type, body.toString()])).toEqual([
      [16, 'abc'],
      [20, 'wxyz'],
    ]);
  });

  it('refuses lengths that point outside', () => {
    const bytes = encodeMessage({ type: 16, flags: 0, sequence: 0, body: Buffer.alloc(4) });
    bytes.writeUInt32LE(64, 0);
    expect(() => decodeMessages(bytes)).toThrow(RangeError);
    const record = attribute(1, Buffer.alloc(4));
    record.writeUInt16LE(3, 0);
    expect(() => decodeAttributes(record)).toThrow(RangeError);
  });

  it('writes attributes as the kernel lays them out', () => {
    expect(text(3, 'eth0').toString('hex')).toBe('090003006574683000000000');
    expect(u32(4, 1_500).toString('hex')).toBe('08000400dc050000');
    expect(u16be(3, 8_080).toString('hex')).toBe('060003001f900000');
    expect(nested(18, u32(1, 1)).toString('hex')).toBe('0c0012800800010001000000');
  });

  it('reads nested attributes by type, whatever their flags', () => {
    const outer = decodeAttributes(nested(18, text(1, 'veth'), u32(2, 9)));
    const inner = decodeAttributes(outer.get(18) ?? Buffer.alloc(0));
    expect(decodeText(inner.get(1) ?? Buffer.alloc(0))).toBe('veth');
    expect(inner.get(2)?.readUInt32LE()).toBe(9);
  });

  it('reads an error with the words that the kernel adds', () => {
    const errno = Buffer.alloc(4);
    errno.writeInt32LE(-17);
    const request = Buffer.alloc(16);
    request.writeUInt32LE(16, 0);
    const body = Buffer.concat([errno, request, text(1, 'in use')]);
    const flags = Flag.CAPPED | Flag.ACK_ATTRIBUTES;
    expect(decodeError({ type: 2, flags, sequence: 1, body })).toEqual({
      errno: 17,
      detail: 'in use',
    });
    expect(decodeError({ type: 2, flags: 0, sequence: 1, body: Buffer.alloc(20) }).errno).toBe(0);
  });
});
