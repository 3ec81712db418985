/** The few tags of ASN.1 that certificates need. */
export enum Tag {
  BOOLEAN = 0x01,
  INTEGER = 0x02,
  BIT_STRING = 0x03,
  OCTET_STRING = 0x04,
  NULL = 0x05,
  OID = 0x06,
  UTF8_STRING = 0x0c,
  PRINTABLE_STRING = 0x13,
  UTC_TIME = 0x17,
  GENERALIZED_TIME = 0x18,
  SEQUENCE = 0x30,
  SET = 0x31,
}

/** Tag of a context-specific field that holds others, `[number]`. */
export function contextTag(number: number): number {
  return 0xa0 | number;
}

/** Tag of a context-specific field that holds a value itself, `[number] IMPLICIT`. */
export function implicitTag(number: number): number {
  return 0x80 | number;
}

const LENGTH_BYTES_MAX = 4;

/** One value with its tag and length. */
export function encode(tag: number, ...contents: Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  if (content.length < 0x80) return Buffer.concat([Uint8Array.of(tag, content.length), content]);
  const length = Buffer.alloc(LENGTH_BYTES_MAX);
  length.writeUInt32BE(content.length);
  const digits = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Uint8Array.of(tag, 0x80 | digits.length), digits, content]);
}

export function sequence(...contents: Uint8Array[]): Uint8Array {
  return encode(Tag.SEQUENCE, ...contents);
}

/** An INTEGER from the big-endian bytes of a number that is not negative. */
export function unsignedInteger(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  const sign = (digits[0] ?? 0) & 0x80 ? Uint8Array.of(0) : new Uint8Array(0);
  return encode(Tag.INTEGER, sign, digits);
}

/** An OBJECT IDENTIFIER from its dotted text. */
export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return encode(Tag.OID, Uint8Array.from(bytes));
}

/** A BIT STRING; `unusedBits` are those at the end of its last byte that do not count. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return encode(Tag.BIT_STRING, Uint8Array.of(unusedBits), bytes);
}

/** A string as Go's encoder writes it: printable where its few characters do, UTF-8 else. */
export function text(value: string): Uint8Array {
  const isPrintable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value);
  return encode(isPrintable ? Tag.PRINTABLE_STRING : Tag.UTF8_STRING, Buffer.from(value));
}

/**
 * A point in time, to the second: UTCTime up to 2049, GeneralizedTime from then on (RFC 5280
 * 4.1.2.5).
 */
export function time(ms: number): Uint8Array {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d{3}/g, '');
  const year = Number(digits.slice(0, 4));
  if (year >= 2050) return encode(Tag.GENERALIZED_TIME, Buffer.from(digits));
  return encode(Tag.UTC_TIME, Buffer.from(digits.slice(2)));
}

/** A value that was read. */
export interface DerValue {
  tag: number;
  content: Buffer;
  /** Tag, length and content. */
  raw: Buffer;
}

/** The values that stand one after the other in `bytes`. Throws on anything that is not DER. */
export function decodeAll(bytes: Uint8Array): DerValue[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const values: DerValue[] = [];
  for (let at = 0; at < buffer.length; ) {
    const value = decodeAt(buffer, at);
    values.push(value);
    at += value.raw.length;
  }
  return values;
}

/** The values inside the one value that `bytes` are, which must have `tag`. */
export function decodeFields(bytes: Uint8Array, tag: number = Tag.SEQUENCE): DerValue[] {
  const [value, ...others] = decodeAll(bytes);
  if (value?.tag !== tag || others.length > 0) throw new Error('malformed DER');
  return decodeAll(value.content);
}

function decodeAt(buffer: Buffer, at: number): DerValue {
  const tag = buffer[at];
  const first = buffer[at + 1];
  if (tag === undefined || first === undefined) throw new Error('malformed DER');
  let length = first;
  let contentAt = at + 2;
  if (first >= 0x80) {
    const digits = first & 0x7f;
    if (digits === 0 || digits > LENGTH_BYTES_MAX || contentAt + digits > buffer.length) {
      throw new Error('malformed DER');
    }
    length = buffer.readUIntBE(contentAt, digits);
    contentAt += digits;
  }
  const end = contentAt + length;
  if (end > buffer.length) throw new Error('malformed DER');
  return { tag, content: buffer.subarray(contentAt, end), raw: buffer.subarray(at, end) };
}

/** The dotted text of an OBJECT IDENTIFIER's content. */
export function oidText(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [head = 0, ...rest] = arcs;
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join('.');
}
