import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribute, nested, text } from './codec.js';
import { encodeElementChanges, type SetTypes } from './nft-elements.js';
import { decodeElements, decodeListedSet } from './nft-listing.js';

const IPV4 = 7;
const ETHERNET = 9;
const PROTOCOL = 12;
const SERVICE = 13;
const MARK = 19;

/** What the kernel would list after it was given these: both are told in the same way. */
function listed(elements: ReadonlyMap<string, string>, types: SetTypes): Buffer[] {
  const all = [...elements].map(([key, value]) => ({ key, value }));
  const changes = [{ kind: 'elements-add', table: 't', set: 's', elements: all }] as const;
  return (encodeElementChanges(changes, () => types) ?? []).map(({ body }) => body);
}

const address = fc.ipV4();
const port = fc.nat(0xffff).map(String);
const mark = fc.nat(0xffff_ffff).map(String);
const protocol = fc.constantFrom('tcp', 'udp', 'sctp');
const joined = (...parts: fc.Arbitrary<string>[]) =>
  fc.tuple(...parts).map((texts) => texts.join(' . '));
const chain = fc.constantFrom('goto pick_2', 'goto keep_512', 'goto refuse');

describe('a listing of elements', () => {
  it.each([
    [{ key: [IPV4, MARK], data: [IPV4] }, joined(address, mark), address],
    [{ key: [PROTOCOL, SERVICE], data: [MARK] }, joined(protocol, port), mark],
    [{ key: [MARK], data: 'verdict' as const }, mark, chain],
    [{ key: [SERVICE], data: [IPV4, SERVICE] }, port, joined(address, port)],
  ])('reads back what was written: %o', (types, key, value) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value), { maxLength: 300 }), (pairs) => {
        const elements = new Map(pairs);
        expect(decodeElements(listed(elements, types), types)).toEqual(elements);
      }),
      { numRuns: 30 },
    );
  });

  it('has no values in a set', () => {
    const types = { key: [IPV4], data: undefined };
    const elements = new Map([['10.0.0.1', '']]);
    expect(decodeElements(listed(elements, types), types)).toEqual(elements);
  });

  it('is left to nft when it has types, protocols or verdicts of others', () => {
    const number = listed(new Map([['1', '']]), { key: [MARK], data: undefined });
    expect(decodeElements(number, { key: [ETHERNET], data: undefined })).toBeUndefined();
    expect(decodeElements(number, { key: [PROTOCOL], data: undefined })).toEqual(undefined);
    expect(decodeElements(number, { key: [MARK], data: 'verdict' })).toBeUndefined();
    expect(decodeElements(number, { key: [MARK], data: [IPV4] })).toBeUndefined();
  });
});

it('a listing of sets passes over those within rules', () => {
  const u32 = (type: number, value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return attribute(type, bytes);
  };
  const body = (flags: number, ...parts: Buffer[]) =>
    Buffer.concat([Buffer.alloc(4), text(1, 't'), text(2, 's'), u32(3, flags), ...parts]);
  const types = { key: [MARK], data: undefined };
  expect(decodeListedSet(body(0, u32(4, MARK)))).toEqual([{ name: 's', types }]);
  expect(decodeListedSet(body(1, u32(4, MARK)))).toEqual([]);
  const interval = body(4, u32(4, IPV4), nested(9));
  expect(decodeListedSet(interval)).toEqual([{ name: 's', types: undefined }]);
});
