import { describe, expect, it } from 'vitest';
import { decodeAttributes, decodeText, nested, text, u32 } from './codec.js';
import { encodeConntrackDelete } from './conntrack.js';
import { decodeLink, encodeVeth } from './link.js';
import * as route from './route.js';

describe('link messages', () => {
  it('names both ends of a veth pair, the far one in its namespace', () => {
    const body = encodeVeth(
      1_400,
      { end: { namespace: '', link: 'skepv0' }, handles: { masterIndex: 5 } },
      {
        end: { namespace: '/n', link: 'eth0', mac: '02:42:0a:00:00:05' },
        handles: { namespaceFd: 9 },
      },
    );
    const near = decodeAttributes(body.subarray(16));
    expect(body.readUInt32LE(8)).toBe(1); // up
    expect(decodeText(near.get(3) ?? Buffer.alloc(0))).toBe('skepv0');
    expect(near.get(10)?.readUInt32LE()).toBe(5);
    const info = decodeAttributes(near.get(18) ?? Buffer.alloc(0));
    expect(decodeText(info.get(1) ?? Buffer.alloc(0))).toBe('veth');
    const data = decodeAttributes(info.get(2) ?? Buffer.alloc(0));
    const peer = data.get(1) ?? Buffer.alloc(0);
    expect(peer.readUInt32LE(8)).toBe(0); // not up: the kernel would refuse it
    const far = decodeAttributes(peer.subarray(16));
    expect(far.get(1)?.toString('hex')).toBe('02420a000005');
    expect(far.get(28)?.readUInt32LE()).toBe(9);
    expect(far.get(4)?.readUInt32LE()).toBe(1_400);
  });

  it('reads a link with its counters', () => {
    const header = Buffer.alloc(16);
    header.writeInt32LE(7, 4);
    header.writeUInt32LE(1, 8);
    const counters = Buffer.alloc(4 + 64);
    counters.writeUInt16LE(68, 0);
    counters.writeUInt16LE(23, 2);
    for (let place = 0; place < 8; place++) counters.writeBigUInt64LE(BigInt(place), 4 + place * 8);
    const link = decodeLink(
      Buffer.concat([
        header,
        text(3, 'eth0'),
        u32(4, 1_500),
        nested(18, text(1, 'veth')),
        counters,
      ]),
    );
    expect(link).toMatchObject({ name: 'eth0', index: 7, kind: 'veth', up: true, mtuBytes: 1_500 });
    expect(link.counters).toMatchObject({ rxPackets: 0, txPackets: 1, rxBytes: 2, txDropped: 7 });
  });
});

describe('address and route messages', () => {
  it('reads back an address it wrote', () => {
    const body = route.encodeAddress(3, '10.0.0.5/24');
    expect(route.decodeAddress(body)).toEqual({ linkIndex: 3, address: '10.0.0.5/24' });
    const broadcast = decodeAttributes(body.subarray(8)).get(4);
    expect(broadcast?.toString('hex')).toBe('0a0000ff');
  });

  it('reads back routes it wrote, also in tables past a byte', () => {
    const destination = route.parseDestination('10.0.0.0/24');
    const subnet = route.encodeRoute({ destination, linkIndex: 2, table: 1_000 });
    expect(route.decodeRoute(subnet)).toMatchObject({
      destination: '10.0.0.0/24',
      linkIndex: 2,
      table: 1_000,
    });
    const gateway = '172.17.0.1';
    const byDefault = route.encodeRoute({ destination: undefined, gateway, table: 254 });
    expect(route.decodeRoute(byDefault)).toMatchObject({ destination: 'default', gateway });
  });
});

describe('rule messages', () => {
  it.each([
    { from: '10.0.0.5/32', table: 100, priority: 1_000 },
    { mark: 0x0a000007, table: 0x0a000007, priority: 900 },
  ])('reads back %j', (rule) => {
    expect(route.decodeRule(route.encodeRule(rule))).toEqual(rule);
  });

  it('leaves out a rule that selects everything, as the kernel has by itself', () => {
    const everything = route.encodeRule({ from: '0.0.0.0/0', table: 254, priority: 32_766 });
    expect(route.decodeRule(everything.subarray(0, 12))).toBeUndefined();
  });
});

describe('conntrack messages', () => {
  it('selects by the address that answers', () => {
    const body = encodeConntrackDelete({ replySource: '10.0.0.5' });
    expect(body.toString('hex')).toContain('0a000005');
    const filter = decodeAttributes(decodeAttributes(body.subarray(4)).get(25) ?? Buffer.alloc(0));
    expect(filter.get(1)?.readUInt32LE()).toBe(0);
    expect(filter.get(2)?.readUInt32LE()).toBe(1);
  });

  it('selects by protocol and the port asked for', () => {
    const body = encodeConntrackDelete({ protocol: 'udp', originPort: 53 });
    const filter = decodeAttributes(decodeAttributes(body.subarray(4)).get(25) ?? Buffer.alloc(0));
    expect(filter.get(1)?.readUInt32LE()).toBe(0b101000);
  });

  it('never forgets everything', () => {
    expect(() => encodeConntrackDelete({})).toThrow('selects something');
  });
});
