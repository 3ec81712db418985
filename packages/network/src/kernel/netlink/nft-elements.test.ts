import { describe, expect, it } from 'vitest';
import type { NftChange, NftElement } from '../../rules/nft.js';
import { attribute, decodeAttributes, decodeText, nested, text } from './codec.js';
import { decodeSet, encodeElementChanges, type SetTypes } from './nft-elements.js';
import { partTypes } from './nft-values.js';

const IPV4 = 7;
const PROTOCOL = 12;
const SERVICE = 13;
const MARK = 19;
const NEW = 0x0a0c;
const DELETE = 0x0a0e;
const NONE = Buffer.alloc(0);

function changeOf(kind: 'elements-add' | 'elements-remove', ...elements: NftElement[]): NftChange {
  return { kind, table: 't', set: 's', elements };
}

function encode(types: SetTypes | undefined, ...changes: NftChange[]) {
  return encodeElementChanges(changes, () => types);
}

/** Key and value of the last element that a message lists. */
function lastOf(body: Buffer | undefined) {
  const message = decodeAttributes((body ?? NONE).subarray(4));
  const element = decodeAttributes(decodeAttributes(message.get(3) ?? NONE).get(1) ?? NONE);
  const value = (type: number) => decodeAttributes(element.get(type) ?? NONE);
  const verdict = decodeAttributes(value(2).get(2) ?? NONE);
  return {
    table: decodeText(message.get(1) ?? NONE),
    set: decodeText(message.get(2) ?? NONE),
    key: value(1).get(1)?.toString('hex'),
    data: value(2).get(1)?.toString('hex'),
    verdict: verdict.size > 0 && [
      verdict.get(1)?.readInt32BE(),
      decodeText(verdict.get(2) ?? NONE),
    ],
  };
}

describe('elements of sets', () => {
  it('are bytes in whole registers where several are joined', () => {
    const types = { key: [IPV4, MARK], data: [IPV4] };
    const element = { key: '10.0.1.100 . 258', value: '10.0.1.5' };
    const [message, ...more] = encode(types, changeOf('elements-add', element)) ?? [];
    expect(more).toEqual([]);
    expect(message?.type).toBe(NEW);
    expect(lastOf(message?.body)).toEqual({
      table: 't',
      set: 's',
      key: '0a00016402010000',
      data: '0a000105',
      verdict: false,
    });
    const ports = { key: [PROTOCOL, SERVICE], data: [IPV4, SERVICE] };
    const port = { key: 'sctp . 8080', value: '10.0.0.5 . 80' };
    const [published] = encode(ports, changeOf('elements-add', port)) ?? [];
    const bytes = { key: '840000001f900000', data: '0a00000500500000' };
    expect(lastOf(published?.body)).toMatchObject(bytes);
  });

  it('lead to chains', () => {
    const types: SetTypes = { key: [IPV4], data: 'verdict' };
    const element = { key: '10.0.1.100', value: 'goto pick_2' };
    const [message] = encode(types, changeOf('elements-add', element)) ?? [];
    expect(lastOf(message?.body)).toMatchObject({ key: '0a000164', verdict: [-4, 'pick_2'] });
  });

  it('are added before they go, in case they are not there', () => {
    const types = { key: [MARK], data: [IPV4] };
    const gone = changeOf('elements-remove', { key: '1', value: '10.0.1.5' });
    const messages = encode(types, gone) ?? [];
    expect(messages.map(({ type }) => type)).toEqual([NEW, DELETE]);
    expect(lastOf(messages[1]?.body)).toMatchObject({ key: '01000000', data: undefined });
  });

  it('are told in several messages when they are many', () => {
    const elements = Array.from({ length: 600 }, (_, number) => ({ key: String(number) }));
    const messages = encode(
      { key: [MARK], data: undefined },
      changeOf('elements-add', ...elements),
    );
    expect(messages).toHaveLength(3);
    expect(lastOf(messages?.[2]?.body).key).toBe('57020000');
  });

  it('are left to nft when they are not understood, or more changes than elements', () => {
    const types = { key: [IPV4], data: undefined };
    const bad = (key: string) => encode(types, changeOf('elements-add', { key }));
    expect(bad('10.0.1.0/24')).toBeUndefined();
    expect(bad('10.0.1.1 . 5')).toBeUndefined();
    expect(encode({ key: [9], data: undefined }, changeOf('elements-add', { key: 'x' }))).toBe(
      undefined,
    );
    expect(encode(undefined, changeOf('elements-add', { key: '10.0.1.1' }))).toBeUndefined();
    const service = { key: [SERVICE], data: undefined };
    expect(encode(service, changeOf('elements-add', { key: '65536' }))).toBeUndefined();
    const chain: NftChange = { kind: 'chain-add', table: 't', chain: 'c', rules: [] };
    expect(encode(types, chain)).toBeUndefined();
  });
});

it('reads from the kernel what a set is of', () => {
  const u32 = (type: number, value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return attribute(type, bytes);
  };
  const body = (...parts: Buffer[]) => Buffer.concat([Buffer.alloc(4), text(1, 't'), ...parts]);
  const joined = (IPV4 << 6) | MARK;
  expect(partTypes(joined)).toEqual([IPV4, MARK]);
  expect(decodeSet(body(u32(3, 8), u32(4, joined), u32(6, IPV4)))).toEqual({
    key: [IPV4, MARK],
    data: [IPV4],
  });
  expect(decodeSet(body(u32(3, 8), u32(4, IPV4), u32(6, 0xffff_ff00)))?.data).toBe('verdict');
  expect(decodeSet(body(u32(3, 0), u32(4, MARK)))).toEqual({ key: [MARK], data: undefined });
  expect(decodeSet(body(u32(3, 4), u32(4, IPV4), nested(9)))).toBeUndefined();
});
