import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressAllocator } from './allocator.js';
import { formatAddress, macOf, overlaps, parseAddress, subnetOf } from './ipv4.js';
import { LOCAL_POOLS, pickSubnet } from './pool.js';

describe('addresses', () => {
  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (address) => {
        expect(parseAddress(formatAddress(address))).toBe(address);
      }),
    );
  });

  it.each(['', '1.2.3', '1.2.3.256', '01.2.3.4', '1.2.3.4.5', '1.2.3.x', ' 1.2.3.4'])(
    'takes %j for no address',
    (text) => expect(parseAddress(text)).toBeUndefined(),
  );

  it("makes Docker's MAC of an address", () => {
    expect(macOf(parseAddress('172.17.0.2') ?? 0)).toBe('02:42:ac:11:00:02');
  });

  it('finds overlaps both ways', () => {
    const wide = subnetOf('172.16.0.0/12');
    expect(overlaps(wide, subnetOf('172.17.4.0/24'))).toBe(true);
    expect(overlaps(subnetOf('172.17.4.0/24'), wide)).toBe(true);
    expect(overlaps(subnetOf('172.17.0.0/16'), subnetOf('172.18.0.0/16'))).toBe(false);
    expect(overlaps(subnetOf('255.255.255.0/24'), subnetOf('0.0.0.0/0'))).toBe(true);
  });
});

describe('pickSubnet', () => {
  it('takes the first that touches nothing in use', () => {
    expect(pickSubnet(LOCAL_POOLS, [])).toBe('172.17.0.0/16');
    expect(pickSubnet(LOCAL_POOLS, ['172.17.3.0/24', '172.18.0.1/32'].map(subnetOf))).toBe(
      '172.19.0.0/16',
    );
    expect(pickSubnet(LOCAL_POOLS, [subnetOf('172.16.0.0/12')])).toBe('192.168.0.0/20');
  });

  it("says so in Docker's words when all are in use", () => {
    const taken = ['172.16.0.0/12', '192.168.0.0/16'].map(subnetOf);
    expect(() => pickSubnet(LOCAL_POOLS, taken)).toThrow('could not find an available');
  });
});

describe('AddressAllocator', () => {
  it('never gives an address twice, and reuses a freed one last', () => {
    const addresses = new AddressAllocator('10.1.0.0/29');
    expect(addresses.gateway).toBe('10.1.0.1');
    expect(addresses.allocate()).toBe('10.1.0.2');
    addresses.release('10.1.0.2');
    const rest = [3, 4, 5, 6].map((last) => `10.1.0.${last}`);
    expect(rest.map(() => addresses.allocate())).toEqual(rest);
    expect(addresses.allocate()).toBe('10.1.0.2');
    expect(() => addresses.allocate()).toThrow('no available IPv4 addresses');
  });

  it('keeps away from what a restart took over', () => {
    const addresses = new AddressAllocator('10.1.0.0/24');
    expect(addresses.claim('10.1.0.2')).toBe(true);
    expect(addresses.claim('10.1.0.2')).toBe(false);
    expect(addresses.claim('10.9.0.2')).toBe(false);
    expect(addresses.allocate()).toBe('10.1.0.3');
  });
});
