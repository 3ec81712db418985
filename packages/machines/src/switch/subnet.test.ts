import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressIn, checkSubnet, chooseSubnet, hardwareAddress } from './subnet.js';

describe('the choice of a subnet', () => {
  it('passes over what routes hold, whole or in part', () => {
    expect(chooseSubnet(['default', 'fe80::/64', '10.0.0.0/8'])).toBe('192.168.99.0/24');
    expect(chooseSubnet(['192.168.99.128/25'])).toBe('192.168.100.0/24');
    expect(chooseSubnet(['192.168.99.7'])).toBe('192.168.100.0/24');
    expect(chooseSubnet(['192.168.0.0/16'])).toBe('10.213.0.0/24');
    expect(() => chooseSubnet(['192.168.0.0/16', '10.0.0.0/8'])).toThrow('--subnet');
  });

  it.each(['10.0.0.0', '10.0.0.1/24', '10.0.0.0/25', '300.0.0.0/24', 'x/24', ''])(
    'refuses %j',
    (subnet) => expect(() => checkSubnet(subnet)).toThrow('use A.B.C.0/24'),
  );

  it('never overlaps, whatever the routes are', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const route = fc
      .tuple(octet, octet, octet, fc.integer({ min: 9, max: 32 }))
      .map(([b, c, d, bits]) => `192.${b}.${c}.${d}/${bits}`);
    fc.assert(
      fc.property(fc.array(route), (routes) => {
        const chosen = chooseSubnet(routes);
        expect(() => chooseSubnet(routes, chosen)).not.toThrow();
        expect(() => chooseSubnet([...routes, chosen], chosen)).toThrow('overlaps');
      }),
    );
  });
});

describe('addresses', () => {
  it('come from the subnet, and make their own hardware address', () => {
    expect(addressIn('192.168.99.0/24', 100)).toBe('192.168.99.100');
    expect(hardwareAddress('192.168.99.100')).toBe('02:42:c0:a8:63:64');
  });
});
