import { describe, expect, it } from 'vitest';
import type { SecurityAssociation, SecurityPolicy } from '../contract.js';
import { attribute } from './codec.js';
import * as transform from './transform.js';
import { TransformMessage } from './transform.js';

const key = new Uint8Array([
  ...Array.from({ length: 16 }, (_, n) => n + 1),
  0x2d,
  0xa3,
  0x35,
  0xee,
]);
const association: SecurityAssociation = {
  source: '192.168.1.1',
  destination: '192.168.1.2',
  spi: 0x2da3_35ee,
  requestId: 0x736b_6570,
  key,
};
const policy: SecurityPolicy = {
  source: '192.168.1.1',
  destination: '192.168.1.2',
  udpPort: 4_789,
  mark: 0xd0_c4e3,
  spi: 0x2da3_35ee,
  requestId: 0x736b_6570,
};

/** Hexadecimal digits, `N*` standing for N zero bytes and `N+` for N of ones. */
function bytes(text: string): string {
  return text
    .trim()
    .split(/\s+/)
    .map((part) => {
      const [, count, kind] = /^(\d+)([*+])$/.exec(part) ?? [];
      return count ? (kind === '*' ? '00' : 'ff').repeat(Number(count)) : part;
    })
    .join('');
}

// As `ip xfrm` of iproute2 6.1 sends them.
const ASSOCIATION = bytes(`
  56* c0a80102 12* 2da335ee 32000000 c0a80101 12* 32+ 80* 70656b73 0200 10*
  60001200 726663343130362867636d286165732929 47* a0000000 40000000
  0102030405060708090a0b0c0d0e0f10 2da335ee`);
const ASSOCIATION_ID = bytes('c0a80102 12* 2da335ee 0200 32 00 14000d00 c0a80101 12*');
const POLICY = bytes(`
  c0a80102 12* c0a80101 12* 12b5ffff 4* 0200 2020 11 11* 32+ 72* 01 7*
  44000500 c0a80102 12* 2da335ee 32000000 02000000 c0a80101 12* 70656b73 4* 12+
  0c001500 e3c4d000 4+`);
const POLICY_ID = bytes(`
  c0a80102 12* c0a80101 12* 12b5ffff 4* 0200 2020 11 11* 4* 01000000
  0c001500 e3c4d000 4+`);

describe('messages of IPsec', () => {
  it('make and remove an association as ip xfrm does', () => {
    expect(transform.encodeAssociation(association).toString('hex')).toBe(ASSOCIATION);
    expect(transform.encodeAssociationId(association).toString('hex')).toBe(ASSOCIATION_ID);
  });

  it('make and remove a policy as ip xfrm does', () => {
    expect(transform.encodePolicy(policy).toString('hex')).toBe(POLICY);
    expect(transform.encodePolicyId(policy).toString('hex')).toBe(POLICY_ID);
    expect(TransformMessage.UPDATE_POLICY).toBe(25);
  });

  it('are read back as they were written', () => {
    expect(transform.decodeAssociation(transform.encodeAssociation(association))).toEqual(
      association,
    );
    expect(transform.decodePolicy(transform.encodePolicy(policy))).toEqual(policy);
  });

  it('show how many numbers an association has used up', () => {
    const replay = attribute(10, Buffer.from('070000000000000000000000', 'hex'));
    const body = Buffer.concat([transform.encodeAssociation(association), replay]);
    expect(transform.decodeAssociation(body)).toEqual({ ...association, usedNumbers: 7 });
  });

  it('of other kinds are passed over', () => {
    const ah = transform.encodeAssociation(association);
    ah.writeUInt8(51, 76);
    expect(transform.decodeAssociation(ah)).toBeUndefined();
    const incoming = transform.encodePolicy(policy);
    incoming.writeUInt8(0, 160);
    expect(transform.decodePolicy(incoming)).toBeUndefined();
    expect(transform.decodePolicy(Buffer.alloc(168))).toBeUndefined();
  });

  it('show an association of another cipher without its key', () => {
    const body = transform.encodeAssociation(association).subarray(0, 224);
    expect(transform.decodeAssociation(body)).toEqual({ ...association, key: new Uint8Array() });
  });
});
