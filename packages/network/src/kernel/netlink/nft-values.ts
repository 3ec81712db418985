import { isIPv4 } from 'node:net';
import { bytesOfAddress } from '../../address/ipv4.js';
import { attribute, nested, text } from './codec.js';

/**
 * Keys and values of nftables' sets as the kernel holds them, from the text that nft has for them.
 * Source: nftables include/datatype.h (numbers of types), linux/netfilter/nf_tables.h.
 */

/** The types that this room's maps are made of; sets of others are left to nft. */
const Type = {
  IPV4_ADDRESS: 7,
  INET_PROTOCOL: 12,
  INET_SERVICE: 13,
  MARK: 19,
} as const;

const PROTOCOL_NUMBER: Record<string, number> = { tcp: 6, udp: 17, sctp: 132 };
/** Bits of each type's number in that of a type joined of several. */
const TYPE_BITS = 6;
/** Parts of a joined key each fill whole registers. */
const REGISTER_BYTES = 4;
const SEPARATOR = ' . ';

const DATA_VALUE = 1;
const DATA_VERDICT = 2;
const Verdict = { CODE: 1, CHAIN: 2 } as const;
const VERDICT_GOTO = -4;
const GOTO = 'goto ';

/** The types that a number stands for, the first part's first. */
export function partTypes(type: number): number[] {
  const parts: number[] = [];
  for (let rest = type; rest > 0; rest >>>= TYPE_BITS) parts.unshift(rest & ((1 << TYPE_BITS) - 1));
  return parts;
}

/** Undefined for a text that is none of the type, and for a type that is not known here. */
function encodePart(type: number, part: string): Buffer | undefined {
  switch (type) {
    case Type.IPV4_ADDRESS:
      return isIPv4(part) ? bytesOfAddress(part) : undefined;
    case Type.INET_PROTOCOL:
      return part in PROTOCOL_NUMBER ? Buffer.of(PROTOCOL_NUMBER[part] ?? 0) : undefined;
    case Type.INET_SERVICE:
      return encodeNumber(part, 0xffff, (value, bytes) => bytes.writeUInt16BE(value), 2);
    case Type.MARK:
      return encodeNumber(part, 0xffff_ffff, (value, bytes) => bytes.writeUInt32LE(value), 4);
    default:
      return undefined;
  }
}

function encodeNumber(
  part: string,
  max: number,
  write: (value: number, bytes: Buffer) => void,
  length: number,
): Buffer | undefined {
  const value = /^(0x[0-9a-f]+|\d+)$/.test(part) ? Number(part) : Number.NaN;
  if (!(value <= max)) return undefined;
  const bytes = Buffer.alloc(length);
  write(value, bytes);
  return bytes;
}

/** A key or a value: `tcp . 8080` as it is of types 12 and 13. */
function encodeValue(types: readonly number[], value: string): Buffer | undefined {
  const parts = value.split(SEPARATOR);
  if (parts.length !== types.length) return undefined;
  const encoded = parts.map((part, place) => encodePart(types[place] ?? 0, part));
  if (encoded.some((part) => part === undefined)) return undefined;
  if (encoded.length === 1) return encoded[0];
  return Buffer.concat(encoded.map((part) => padded(part ?? Buffer.alloc(0))));
}

function padded(part: Buffer): Buffer {
  const length = Math.ceil(part.length / REGISTER_BYTES) * REGISTER_BYTES;
  return Buffer.concat([part], length);
}

/** The attribute that holds a key or a value of these types. */
export function encodeData(
  attributeType: number,
  types: readonly number[],
  value: string,
): Buffer | undefined {
  const bytes = encodeValue(types, value);
  return bytes && nested(attributeType, attribute(DATA_VALUE, bytes));
}

/** The attribute that holds where a map leads: `goto` and a chain. */
export function encodeVerdict(attributeType: number, value: string): Buffer | undefined {
  if (!value.startsWith(GOTO)) return undefined;
  const code = Buffer.alloc(4);
  code.writeInt32BE(VERDICT_GOTO);
  const chain = text(Verdict.CHAIN, value.slice(GOTO.length));
  const verdict = nested(DATA_VERDICT, attribute(Verdict.CODE, code), chain);
  return nested(attributeType, verdict);
}
