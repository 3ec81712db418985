import { aligned, decodeAttributes, decodeText, NESTED, writeAttributeHeader } from './codec.js';

/**
 * Keys and values of nftables' sets as the kernel holds them, from the text that nft has for them.
 * They are written in place, for there can be very many. Source: nftables include/datatype.h (numbers
 * of types), linux/netfilter/nf_tables.h.
 */

/** The types that this room's maps are made of; sets of others are left to nft. */
const Type = {
  IPV4_ADDRESS: 7,
  INET_PROTOCOL: 12,
  INET_SERVICE: 13,
  MARK: 19,
} as const;

const PROTOCOL_NUMBER: Record<string, number> = { tcp: 6, udp: 17, sctp: 132 };
const PROTOCOL_NAME = new Map(
  Object.entries(PROTOCOL_NUMBER).map(([name, number]) => [number, name]),
);
/** Bits of each type's number in that of a type joined of several. */
const TYPE_BITS = 6;
const SEPARATOR = ' . ';

const HEADER_BYTES = 4;
const DATA_VALUE = 1;
const DATA_VERDICT = 2;
const Verdict = { CODE: 1, CHAIN: 2 } as const;
const VERDICT_GOTO = -4;
const VERDICT_JUMP = -3;
const GOTO = 'goto ';
/** The kernel's bound for a chain's name is 128; ours are short. */
const CHAIN_NAME_BYTES_MAX = 63;

/** What is not understood is left to nft. */
export const NOT_UNDERSTOOD = -1;

/** The types that a number stands for, the first part's first. */
export function partTypes(type: number): number[] {
  const parts: number[] = [];
  for (let rest = type; rest > 0; rest >>>= TYPE_BITS) parts.unshift(rest & ((1 << TYPE_BITS) - 1));
  return parts;
}

/** The number, or NaN where the text is none or above `max`. */
function numberOf(part: string, max: number): number {
  const value = /^(0x[0-9a-f]+|\d+)$/.test(part) ? Number(part) : Number.NaN;
  return value <= max ? value : Number.NaN;
}

function writeIpv4(part: string, bytes: Buffer, offset: number): number {
  const octets = part.split('.');
  if (octets.length !== 4) return NOT_UNDERSTOOD;
  for (const [place, octet] of octets.entries()) {
    const value = numberOf(octet, 0xff);
    if (Number.isNaN(value)) return NOT_UNDERSTOOD;
    bytes[offset + place] = value;
  }
  return 4;
}

/** How many bytes the part takes. */
function writePart(type: number, part: string, bytes: Buffer, offset: number): number {
  switch (type) {
    case Type.IPV4_ADDRESS:
      return writeIpv4(part, bytes, offset);
    case Type.INET_PROTOCOL: {
      const protocol = PROTOCOL_NUMBER[part];
      if (protocol === undefined) return NOT_UNDERSTOOD;
      return bytes.writeUInt8(protocol, offset) - offset;
    }
    case Type.INET_SERVICE: {
      const port = numberOf(part, 0xffff);
      return Number.isNaN(port) ? NOT_UNDERSTOOD : bytes.writeUInt16BE(port, offset) - offset;
    }
    case Type.MARK: {
      const mark = numberOf(part, 0xffff_ffff);
      return Number.isNaN(mark) ? NOT_UNDERSTOOD : bytes.writeUInt32LE(mark, offset) - offset;
    }
    default:
      return NOT_UNDERSTOOD;
  }
}

/** A key or a value: `tcp . 8080` as it is of types 12 and 13, each in whole registers. */
function writeValue(
  types: readonly number[],
  value: string,
  bytes: Buffer,
  offset: number,
): number {
  const parts = value.split(SEPARATOR);
  if (parts.length !== types.length) return NOT_UNDERSTOOD;
  let length = 0;
  for (const [place, part] of parts.entries()) {
    const written = writePart(types[place] ?? 0, part, bytes, offset + length);
    if (written === NOT_UNDERSTOOD) return NOT_UNDERSTOOD;
    length += parts.length === 1 ? written : aligned(written);
  }
  return length;
}

/**
 * Writes the attribute that holds a key or a value of these types into zeroes. The offset behind it,
 * or {@link NOT_UNDERSTOOD}.
 */
export function writeData(
  attributeType: number,
  types: readonly number[],
  value: string,
  bytes: Buffer,
  offset: number,
): number {
  const inner = offset + HEADER_BYTES;
  const length = writeValue(types, value, bytes, inner + HEADER_BYTES);
  if (length === NOT_UNDERSTOOD) return NOT_UNDERSTOOD;
  writeAttributeHeader(bytes, inner, DATA_VALUE, HEADER_BYTES + length);
  const end = inner + HEADER_BYTES + aligned(length);
  writeAttributeHeader(bytes, offset, attributeType | NESTED, end - offset);
  return end;
}

/** As {@link writeData}, for where a map leads: `goto` and a chain. */
export function writeVerdict(
  attributeType: number,
  value: string,
  bytes: Buffer,
  offset: number,
): number {
  const chain = value.slice(GOTO.length);
  if (!value.startsWith(GOTO) || chain.length > CHAIN_NAME_BYTES_MAX) return NOT_UNDERSTOOD;
  const verdict = offset + HEADER_BYTES;
  const code = verdict + HEADER_BYTES;
  const name = bytes.writeInt32BE(VERDICT_GOTO, code + HEADER_BYTES);
  const nameBytes = HEADER_BYTES + bytes.write(`${chain}\0`, name + HEADER_BYTES);
  const end = name + aligned(nameBytes);
  writeAttributeHeader(bytes, name, Verdict.CHAIN, nameBytes);
  writeAttributeHeader(bytes, code, Verdict.CODE, name - code);
  writeAttributeHeader(bytes, verdict, DATA_VERDICT | NESTED, end - verdict);
  writeAttributeHeader(bytes, offset, attributeType | NESTED, end - offset);
  return end;
}

/** How many bytes a part of a type takes, and its text; undefined for what is left to nft. */
function readPart(type: number, bytes: Buffer, offset: number): [number, string] | undefined {
  switch (type) {
    case Type.IPV4_ADDRESS:
      return [4, bytes.subarray(offset, offset + 4).join('.')];
    case Type.INET_PROTOCOL: {
      const protocol = PROTOCOL_NAME.get(bytes.readUInt8(offset));
      return protocol === undefined ? undefined : [1, protocol];
    }
    case Type.INET_SERVICE:
      return [2, String(bytes.readUInt16BE(offset))];
    case Type.MARK:
      return [4, String(bytes.readUInt32LE(offset))];
    default:
      return undefined;
  }
}

function readVerdict(bytes: Buffer): string | undefined {
  const attributes = decodeAttributes(bytes);
  const chain = decodeText(attributes.get(Verdict.CHAIN) ?? Buffer.alloc(0));
  const code = attributes.get(Verdict.CODE)?.readInt32BE();
  if (code === VERDICT_GOTO) return `goto ${chain}`;
  return code === VERDICT_JUMP ? `jump ${chain}` : undefined;
}

/**
 * What {@link writeData} and {@link writeVerdict} write, as nft has it. Undefined for what is of
 * other types than these.
 */
export function readData(
  types: readonly number[] | 'verdict',
  data: Buffer | undefined,
): string | undefined {
  const attributes = decodeAttributes(data ?? Buffer.alloc(0));
  if (types === 'verdict') return readVerdict(attributes.get(DATA_VERDICT) ?? Buffer.alloc(0));
  const bytes = attributes.get(DATA_VALUE);
  if (!bytes) return undefined;
  const texts: string[] = [];
  let offset = 0;
  for (const type of types) {
    const part = readPart(type, bytes, offset);
    if (!part) return undefined;
    texts.push(part[1]);
    offset += aligned(part[0]);
  }
  return texts.join(SEPARATOR);
}
