import { attributesIn, decodeAttributes, decodeText, text } from './codec.js';
import {
  decodeSet,
  Element,
  header,
  LIST_ELEMENT,
  List,
  NETFILTER_HEADER_BYTES,
  SetField,
  type SetTypes,
} from './nft-elements.js';
import { readData } from './nft-values.js';

/** Sets and what is in them, as the kernel lists them. Source: linux/netfilter/nf_tables.h. */

/** Of a set that stands within a rule: it is not asked for by name. */
const SET_IS_ANONYMOUS = 1;

export interface ListedSet {
  name: string;
  /** See {@link decodeSet}. */
  types: SetTypes | undefined;
}

/** Asks for the sets of a table. */
export function encodeSetDump(table: string): Buffer {
  return Buffer.concat([header(), text(SetField.TABLE, table)]);
}

/** Asks for what is in a set. */
export function encodeElementDump(table: string, set: string): Buffer {
  return Buffer.concat([header(), text(List.TABLE, table), text(List.SET, set)]);
}

/** None for a set that has no name of its own. */
export function decodeListedSet(body: Buffer): ListedSet[] {
  const attributes = decodeAttributes(body.subarray(NETFILTER_HEADER_BYTES));
  const flags = attributes.get(SetField.FLAGS)?.readUInt32BE() ?? 0;
  const name = attributes.get(SetField.NAME);
  if (!name || flags & SET_IS_ANONYMOUS) return [];
  return [{ name: decodeText(name), types: decodeSet(body) }];
}

/** Key → value (empty in a set) as nft has them. Undefined where only nft knows what they are. */
export function decodeElements(
  bodies: readonly Buffer[],
  types: SetTypes,
): Map<string, string> | undefined {
  const elements = new Map<string, string>();
  for (const body of bodies) {
    const list = decodeAttributes(body.subarray(NETFILTER_HEADER_BYTES)).get(List.ELEMENTS);
    for (const [type, element] of list ? attributesIn(list) : []) {
      if (type !== LIST_ELEMENT) continue;
      const attributes = decodeAttributes(element);
      const key = readData(types.key, attributes.get(Element.KEY));
      const value = types.data ? readData(types.data, attributes.get(Element.DATA)) : '';
      if (key === undefined || value === undefined) return undefined;
      elements.set(key, value);
    }
  }
  return elements;
}
