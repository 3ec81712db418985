import { expect, it } from 'vitest';
import { canonicalAddress, hostAddress } from './host-address.js';

it.each([
  ['10.0.1.5/24', '0a000105', '5.1.0.10.in-addr.arpa'],
  ['127.0.0.11', '7f00000b', '11.0.0.127.in-addr.arpa'],
  ['::', '0'.repeat(32), `${'0.'.repeat(32)}ip6.arpa`],
  ['::1', `${'0'.repeat(31)}1`, `1.${'0.'.repeat(31)}ip6.arpa`],
  ['fd00:1::/64', `fd000001${'0'.repeat(24)}`, undefined],
  ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006', undefined],
  ['::ffff:10.0.0.1', `${'0'.repeat(20)}ffff0a000001`, undefined],
])('reads %s', (text, hex, reverseName) => {
  const address = hostAddress(text);
  expect(Buffer.from(address?.data ?? []).toString('hex')).toBe(hex);
  if (reverseName) expect(address?.reverseName).toBe(reverseName);
});

it.each(['', 'x', '10.0.0', '10.0.0.256', '1::2::3', 'fe80::1%eth0'])('refuses "%s"', (text) => {
  expect(hostAddress(text)).toBeUndefined();
});

it.each([
  ['10.0.1.5', '10.0.1.5'],
  ['FD99:0::07', 'fd99::7'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['nothing', 'nothing'],
])('has one form of %s', (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));
