import { expect, it } from 'vitest';
import { AddressFamily, decodeListener, encodeListenersDump } from './listeners.js';

it('asks for TCP sockets that listen, and for no others', () => {
  const body = encodeListenersDump(AddressFamily.IPV6);
  expect(body).toHaveLength(56);
  expect(body.subarray(0, 8).toString('hex')).toBe('0a06000000040000');
});

it.each([
  [AddressFamily.IPV4, '00000000', 80],
  [AddressFamily.IPV4, '0a000105', 80],
  [AddressFamily.IPV4, '7f00000b', undefined],
  [AddressFamily.IPV6, '00'.repeat(16), 80],
  [AddressFamily.IPV6, '7f'.repeat(16), 80],
  [AddressFamily.IPV6, `${'00'.repeat(15)}01`, undefined],
  [AddressFamily.IPV6, `${'00'.repeat(10)}ffff7f000001`, undefined],
  [AddressFamily.IPV6, `${'00'.repeat(10)}ffff0a000105`, 80],
])('of family %i at %s others reach port %s', (family, address, port) => {
  const body = Buffer.alloc(72);
  body.writeUInt8(family, 0);
  body.writeUInt16BE(80, 4);
  body.write(address, 8, 'hex');
  expect(decodeListener(body)).toBe(port);
});
