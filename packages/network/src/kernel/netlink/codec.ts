/**
 * The framing of Linux netlink: messages of a 16-byte header and a body, whose attributes are
 * length-type-value records padded to 4 bytes. All integers are in the machine's byte order
 * (little-endian on every machine Skep runs on) unless a protocol says otherwise. Source: RFC 3549,
 * linux/netlink.h.
 */

const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const ALIGN_BYTES = 4;
export const NESTED = 0x8000;
/** Upper two bits of an attribute's type are flags (nested, network byte order). */
const TYPE_MASK = 0x3fff;
/** An attribute's length is a u16 that counts its own header. */
const ATTRIBUTE_PAYLOAD_BYTES_MAX = 0xffff - ATTRIBUTE_HEADER_BYTES;

export const MessageType = { NOOP: 1, ERROR: 2, DONE: 3 } as const;

export const Flag = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  /** A listing was changed while it was read out: it may lack or repeat something. */
  DUMP_INTERRUPTED: 0x10,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCLUSIVE: 0x200,
  CREATE: 0x400,
  /** In an error message: the request's body is not echoed. */
  CAPPED: 0x100,
  /** In an error message: attributes with the kernel's own words follow. */
  ACK_ATTRIBUTES: 0x200,
} as const;

export interface NetlinkMessage {
  type: number;
  flags: number;
  sequence: number;
  body: Buffer;
}

/** Up to the next multiple of 4, as what follows an attribute starts there. */
export function aligned(length: number): number {
  return (length + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
}

export function encodeMessage(message: NetlinkMessage): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + aligned(message.body.length));
  bytes.writeUInt32LE(HEADER_BYTES + message.body.length, 0);
  bytes.writeUInt16LE(message.type, 4);
  bytes.writeUInt16LE(message.flags, 6);
  bytes.writeUInt32LE(message.sequence, 8);
  message.body.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** The messages of one datagram. Throws RangeError when a length points outside of it. */
export function decodeMessages(datagram: Buffer): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let offset = 0; offset + HEADER_BYTES <= datagram.length; ) {
    const length = datagram.readUInt32LE(offset);
    if (length < HEADER_BYTES || offset + length > datagram.length) {
      throw new RangeError(`netlink message of ${length} bytes at ${offset} of ${datagram.length}`);
    }
    messages.push({
      type: datagram.readUInt16LE(offset + 4),
      flags: datagram.readUInt16LE(offset + 6),
      sequence: datagram.readUInt32LE(offset + 8),
      body: datagram.subarray(offset + HEADER_BYTES, offset + length),
    });
    offset += aligned(length);
  }
  return messages;
}

/** For an attribute that is written in place; `length` counts the header's 4 bytes. */
export function writeAttributeHeader(
  bytes: Buffer,
  offset: number,
  type: number,
  length: number,
): void {
  bytes.writeUInt16LE(length, offset);
  bytes.writeUInt16LE(type, offset + 2);
}

/** One attribute with its padding. */
export function attribute(type: number, payload: Uint8Array): Buffer {
  if (payload.length > ATTRIBUTE_PAYLOAD_BYTES_MAX) {
    throw new RangeError(`netlink attribute ${type} of ${payload.length} bytes`);
  }
  const bytes = Buffer.alloc(ATTRIBUTE_HEADER_BYTES + aligned(payload.length));
  bytes.writeUInt16LE(ATTRIBUTE_HEADER_BYTES + payload.length, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.set(payload, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

export function nested(type: number, ...children: Buffer[]): Buffer {
  return attribute(type | NESTED, Buffer.concat(children));
}

/** A string attribute; the kernel wants its closing zero. */
export function text(type: number, value: string): Buffer {
  return attribute(type, Buffer.from(`${value}\0`, 'utf8'));
}

export function u8(type: number, value: number): Buffer {
  return attribute(type, Buffer.of(value));
}

export function u16be(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return attribute(type, bytes);
}

export function u32(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return attribute(type, bytes);
}

/** The attributes in `bytes` by type; a type that comes twice keeps its last value. */
export function decodeAttributes(bytes: Buffer): Map<number, Buffer> {
  return new Map(attributesIn(bytes));
}

/** The attributes in `bytes` as they come: types and values. */
export function attributesIn(bytes: Buffer): [type: number, value: Buffer][] {
  const attributes: [number, Buffer][] = [];
  for (let offset = 0; offset + ATTRIBUTE_HEADER_BYTES <= bytes.length; ) {
    const length = bytes.readUInt16LE(offset);
    if (length < ATTRIBUTE_HEADER_BYTES || offset + length > bytes.length) {
      throw new RangeError(`netlink attribute of ${length} bytes at ${offset} of ${bytes.length}`);
    }
    const type = bytes.readUInt16LE(offset + 2) & TYPE_MASK;
    attributes.push([type, bytes.subarray(offset + ATTRIBUTE_HEADER_BYTES, offset + length)]);
    offset += aligned(length);
  }
  return attributes;
}

/** A string attribute's value, without its closing zero. */
export function decodeText(payload: Buffer): string {
  const end = payload.indexOf(0);
  return payload.toString('utf8', 0, end < 0 ? payload.length : end);
}

export interface NetlinkError {
  /** Positive errno; 0 is an acknowledgement. */
  errno: number;
  /** What the kernel adds in words, or empty. */
  detail: string;
}

const ERROR_DETAIL = 1;

/** Reads the body of a message of type ERROR. */
export function decodeError(message: NetlinkMessage): NetlinkError {
  const errno = Math.abs(message.body.readInt32LE(0));
  if ((message.flags & Flag.ACK_ATTRIBUTES) === 0) return { errno, detail: '' };
  // The request's header follows the errno, and its body too unless the message is capped.
  const echoed = message.flags & Flag.CAPPED ? HEADER_BYTES : message.body.readUInt32LE(4);
  const attributes = decodeAttributes(message.body.subarray(4 + aligned(echoed)));
  const detail = attributes.get(ERROR_DETAIL);
  return { errno, detail: detail ? decodeText(detail) : '' };
}
