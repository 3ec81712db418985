import { GossipFormatError } from '../errors.js';

/**
 * Just as much of msgpack as memberlist speaks: structs as maps from field names to numbers, flags and
 * raw bytes, in the form of the time before msgpack told strings from bytes. Its one raw kind (0xa0 …
 * 0xbf, 0xda, 0xdb) is all that memberlist takes; libraries write 0xd9 and 0xc4 … 0xc6, which came later,
 * and cannot be told not to.
 */

export type FieldValue = number | boolean | string | Uint8Array;

const NIL = 0xc0;
const FALSE = 0xc2;
const TRUE = 0xc3;
const UINT8 = 0xcc;
const UINT16 = 0xcd;
const UINT32 = 0xce;
const RAW16 = 0xda;
const RAW32 = 0xdb;

/** A struct of at most 15 fields; undefined ones are left out. Numbers are 0 … 2^32-1. */
export function encodeStruct(fields: Readonly<Record<string, FieldValue | undefined>>): Buffer {
  const present = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const parts: Uint8Array[] = [Buffer.of(0x80 | present.length)];
  for (const [name, value] of present) parts.push(encodeRaw(Buffer.from(name)), encodeValue(value));
  return Buffer.concat(parts);
}

function encodeValue(value: FieldValue): Buffer {
  if (typeof value === 'boolean') return Buffer.of(value ? TRUE : FALSE);
  if (typeof value === 'number') return encodeUint(value);
  return encodeRaw(typeof value === 'string' ? Buffer.from(value) : value);
}

function encodeUint(value: number): Buffer {
  if (value < 0x80) return Buffer.of(value);
  if (value < 0x100) return Buffer.of(UINT8, value);
  const bytes = Buffer.alloc(value < 0x10000 ? 3 : 5);
  if (bytes.length === 3) bytes.writeUInt16BE(value, bytes.writeUInt8(UINT16));
  else bytes.writeUInt32BE(value, bytes.writeUInt8(UINT32));
  return bytes;
}

function encodeRaw(bytes: Uint8Array): Buffer {
  const { length } = bytes;
  if (length < 0x20) return Buffer.concat([Buffer.of(0xa0 | length), bytes]);
  const head = Buffer.alloc(length < 0x10000 ? 3 : 5);
  if (head.length === 3) head.writeUInt16BE(length, head.writeUInt8(RAW16));
  else head.writeUInt32BE(length, head.writeUInt8(RAW32));
  return Buffer.concat([head, bytes]);
}

/** A struct as it was read. A field that is not there, or nil, is zero, as Go has it. */
export class Struct {
  readonly #fields: ReadonlyMap<string, FieldValue>;

  constructor(fields: ReadonlyMap<string, FieldValue>) {
    this.#fields = fields;
  }

  /** Throws {@link GossipFormatError} unless it is a whole number of at most `max`; so do the others. */
  uint(name: string, max: number): number {
    const value = this.#fields.get(name) ?? 0;
    if (typeof value !== 'number' || value > max)
      throw new GossipFormatError(`${name} is no number`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#fields.get(name) ?? false;
    if (typeof value !== 'boolean') throw new GossipFormatError(`${name} is no flag`);
    return value;
  }

  bytes(name: string, bytesMax: number): Uint8Array {
    const value = this.#fields.get(name) ?? new Uint8Array();
    if (!(value instanceof Uint8Array)) throw new GossipFormatError(`${name} is no text`);
    if (value.length > bytesMax) throw new GossipFormatError(`${name} is too long`);
    return value;
  }

  text(name: string, bytesMax: number): string {
    const bytes = this.bytes(name, bytesMax);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new GossipFormatError(`${name} is no text`);
    }
  }
}

const FIELDS_MAX = 64;
const DEPTH_MAX = 4;

/** Reads structs that follow each other. */
export class StructReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** What was not read yet. */
  get rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  /** Throws {@link GossipFormatError} for anything that is no struct, whole and of few fields. */
  next(): Struct {
    const fields = new Map<string, FieldValue>();
    const head = this.#uint(1);
    for (let left = this.#mapLength(head); left > 0; left--) {
      const name = this.#value(0);
      const value = this.#value(0);
      if (!(name instanceof Uint8Array)) throw new GossipFormatError('a field without a name');
      if (value !== undefined) fields.set(Buffer.from(name).toString('latin1'), value);
    }
    return new Struct(fields);
  }

  #mapLength(head: number): number {
    const isMap16 = head === 0xde;
    if (!isMap16 && (head & 0xf0) !== 0x80) throw new GossipFormatError('no struct');
    const length = isMap16 ? this.#uint(2) : head & 0x0f;
    if (length > FIELDS_MAX) throw new GossipFormatError('a struct of too many fields');
    return length;
  }

  /** Undefined for nil, and for what no field that is known has: negative numbers, lists, maps. */
  #value(depth: number): FieldValue | undefined {
    const head = this.#uint(1);
    if (head < 0x80) return head;
    if (head >= 0xe0) return undefined;
    if (head >= 0xa0 && head < 0xc0) return this.#take(head & 0x1f);
    if (head < 0xa0) return this.#skip(head & 0x0f, head < 0x90 ? 2 : 1, depth);
    switch (head) {
      case NIL:
        return undefined;
      case FALSE:
      case TRUE:
        return head === TRUE;
      case UINT8:
      case UINT16:
      case UINT32:
        return this.#uint(1 << (head - UINT8));
      case 0xcf:
        return this.#uint64();
      case RAW16:
      case RAW32:
        return this.#take(this.#uint(head === RAW16 ? 2 : 4));
      default:
        return this.#laterKinds(head, depth);
    }
  }

  /** What peers do not write, but may: the bin and str8 of today's msgpack, floats, signed numbers. */
  #laterKinds(head: number, depth: number): FieldValue | undefined {
    if (head >= 0xc4 && head <= 0xc6) return this.#take(this.#uint(1 << (head - 0xc4)));
    if (head === 0xd9) return this.#take(this.#uint(1));
    if (head === 0xdc || head === 0xde)
      return this.#skip(this.#uint(2), head === 0xde ? 2 : 1, depth);
    if (head === 0xca) return void this.#take(4);
    if (head === 0xcb) return void this.#take(8);
    if (head >= 0xd0 && head <= 0xd3) return this.#signed(1 << (head - 0xd0));
    throw new GossipFormatError(`a value of the unknown kind 0x${head.toString(16)}`);
  }

  #skip(count: number, perItem: number, depth: number): undefined {
    if (depth >= DEPTH_MAX) throw new GossipFormatError('nested too deep');
    for (let left = count * perItem; left > 0; left--) this.#value(depth + 1);
    return undefined;
  }

  #signed(length: number): number | undefined {
    const bytes = this.#take(length);
    const isNegative = ((bytes[0] ?? 0) & 0x80) !== 0;
    return isNegative ? undefined : bytes.reduce((value, byte) => value * 256 + byte, 0);
  }

  #uint64(): number {
    return Number(this.#take(8).readBigUInt64BE());
  }

  #uint(length: number): number {
    return this.#take(length).readUIntBE(0, length);
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw new GossipFormatError('cut short');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}
