import type { NftChange, NftElement } from '../../rules/nft.js';
import { decodeAttributes, Flag, NESTED, nested, text, writeAttributeHeader } from './codec.js';
import { NOT_UNDERSTOOD, partTypes, writeData, writeVerdict } from './nft-values.js';

/**
 * Elements of nftables' sets and maps. Source: linux/netfilter/nf_tables.h,
 * net/netfilter/nf_tables_api.c.
 */

const SUBSYSTEM_NFTABLES = 10;
const message = (type: number) => (SUBSYSTEM_NFTABLES << 8) | type;
export const SET_GET = message(10);
const ELEMENT_NEW = message(12);
export const ELEMENT_GET = message(13);
const ELEMENT_DELETE = message(14);

const NFPROTO_IPV4 = 2;
export const SetField = { TABLE: 1, NAME: 2, FLAGS: 3, KEY_TYPE: 4, DATA_TYPE: 6 } as const;
const SET_IS_INTERVAL = 4;
const SET_IS_MAP = 8;
const DATA_IS_VERDICT = 0xffff_ff00;
export const List = { TABLE: 1, SET: 2, ELEMENTS: 3 } as const;
export const LIST_ELEMENT = 1;
export const Element = { KEY: 1, DATA: 2 } as const;
export const NETFILTER_HEADER_BYTES = 4;

const ATTRIBUTE_HEADER_BYTES = 4;
/** A list is one attribute, whose length has 16 bits. */
const ELEMENTS_PER_MESSAGE = 256;
/** Room for a key of four parts, and a value of as many or the longest verdict. */
const ELEMENT_BYTES_MAX = 192;

/** What the elements of a set are made of. */
export interface SetTypes {
  key: number[];
  /** Undefined in a set. */
  data: number[] | 'verdict' | undefined;
}

/** One message of a transaction. */
export interface BatchMessage {
  type: number;
  flags: number;
  body: Buffer;
}

export function header(): Buffer {
  return Buffer.of(NFPROTO_IPV4, 0, 0, 0);
}

export function encodeSetGet(table: string, set: string): Buffer {
  return Buffer.concat([header(), text(SetField.TABLE, table), text(SetField.NAME, set)]);
}

/** Undefined for a set whose elements are not single keys. */
export function decodeSet(body: Buffer): SetTypes | undefined {
  const attributes = decodeAttributes(body.subarray(NETFILTER_HEADER_BYTES));
  const number = (type: number) => attributes.get(type)?.readUInt32BE() ?? 0;
  const flags = number(SetField.FLAGS);
  if (flags & SET_IS_INTERVAL) return undefined;
  const key = partTypes(number(SetField.KEY_TYPE));
  if (!(flags & SET_IS_MAP)) return { key, data: undefined };
  const data = number(SetField.DATA_TYPE);
  return { key, data: data === DATA_IS_VERDICT ? 'verdict' : partTypes(data) };
}

/**
 * The messages of a transaction that changes nothing but elements. Undefined where it changes more
 * than that, or elements of types that only nft knows.
 */
export function encodeElementChanges(
  changes: readonly NftChange[],
  typesOf: (table: string, set: string) => SetTypes | undefined,
): BatchMessage[] | undefined {
  const messages: BatchMessage[] = [];
  for (const change of changes) {
    if (change.kind !== 'elements-add' && change.kind !== 'elements-remove') return undefined;
    const types = typesOf(change.table, change.set);
    const added = types && encodeLists(change, types);
    if (!added) return undefined;
    messages.push(...added.map((body) => ({ type: ELEMENT_NEW, flags: Flag.CREATE, body })));
    if (change.kind === 'elements-add') continue;
    // Adding first makes the removal succeed also where the element is gone.
    const keys = { ...change, elements: change.elements.map(({ key }) => ({ key })) };
    const gone = encodeLists(keys, { ...types, data: undefined }) ?? [];
    messages.push(...gone.map((body) => ({ type: ELEMENT_DELETE, flags: 0, body })));
  }
  return messages;
}

/** Bodies of messages that list the elements. */
function encodeLists(
  { table, set, elements }: { table: string; set: string; elements: readonly NftElement[] },
  types: SetTypes,
): Buffer[] | undefined {
  const bodies: Buffer[] = [];
  for (let place = 0; place < elements.length; place += ELEMENTS_PER_MESSAGE) {
    const some = elements.slice(place, place + ELEMENTS_PER_MESSAGE);
    const bytes = Buffer.alloc(some.length * ELEMENT_BYTES_MAX);
    let end = 0;
    for (const element of some) {
      end = writeElement(element, types, bytes, end);
      if (end === NOT_UNDERSTOOD) return undefined;
    }
    const list = nested(List.ELEMENTS, bytes.subarray(0, end));
    bodies.push(Buffer.concat([header(), text(List.TABLE, table), text(List.SET, set), list]));
  }
  return bodies;
}

/** The offset behind it, or {@link NOT_UNDERSTOOD}. */
function writeElement(
  { key, value = '' }: NftElement,
  types: SetTypes,
  bytes: Buffer,
  offset: number,
): number {
  let end = writeData(Element.KEY, types.key, key, bytes, offset + ATTRIBUTE_HEADER_BYTES);
  if (types.data && end !== NOT_UNDERSTOOD) {
    end =
      types.data === 'verdict'
        ? writeVerdict(Element.DATA, value, bytes, end)
        : writeData(Element.DATA, types.data, value, bytes, end);
  }
  if (end !== NOT_UNDERSTOOD)
    writeAttributeHeader(bytes, offset, LIST_ELEMENT | NESTED, end - offset);
  return end;
}

const BATCH_BEGIN = 0x10;
const BATCH_END = 0x11;

/** What is between them is one transaction of nftables. */
export function encodeBatchEnds(): { begin: BatchMessage; end: BatchMessage } {
  const body = Buffer.of(0, 0, 0, SUBSYSTEM_NFTABLES);
  return {
    begin: { type: BATCH_BEGIN, flags: 0, body },
    end: { type: BATCH_END, flags: 0, body },
  };
}
