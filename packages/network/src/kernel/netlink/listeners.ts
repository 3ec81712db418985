/**
 * TCP sockets that listen, asked for without those that are connected, so that the kernel goes through
 * a short table. Source: linux/sock_diag.h, linux/inet_diag.h.
 */

export const LISTENERS_GET = 20;

export const AddressFamily = { IPV4: 2, IPV6: 10 } as const;
type Family = (typeof AddressFamily)[keyof typeof AddressFamily];

const PROTOCOL_TCP = 6;
/** One bit for each state. */
const STATES_LISTEN = 1 << 10;

const REQUEST_BYTES = 56;
const Request = { FAMILY: 0, PROTOCOL: 1, STATES: 4 } as const;
const Answer = { FAMILY: 0, PORT: 4, ADDRESS: 8 } as const;
const ADDRESS_BYTES = 16;

const LOOPBACK_FIRST_BYTE = 127;
const LOOPBACK_IPV6 = `${'00'.repeat(15)}01`;
/** Before an IPv4 address in an IPv6 one. */
const MAPPED_PREFIX = `${'00'.repeat(10)}ffff`;
const MAPPED_PREFIX_BYTES = 12;

export function encodeListenersDump(family: Family): Buffer {
  const body = Buffer.alloc(REQUEST_BYTES);
  body.writeUInt8(family, Request.FAMILY);
  body.writeUInt8(PROTOCOL_TCP, Request.PROTOCOL);
  body.writeUInt32LE(STATES_LISTEN, Request.STATES);
  return body;
}

/** The port of a socket that others can reach; undefined for one on loopback. */
export function decodeListener(body: Buffer): number | undefined {
  const address = body.subarray(Answer.ADDRESS, Answer.ADDRESS + ADDRESS_BYTES);
  const isIpv4 = body[Answer.FAMILY] === AddressFamily.IPV4;
  const isLoopback = isIpv4 ? address[0] === LOOPBACK_FIRST_BYTE : isIpv6Loopback(address);
  return isLoopback ? undefined : body.readUInt16BE(Answer.PORT);
}

function isIpv6Loopback(address: Buffer): boolean {
  const text = address.toString('hex');
  const isMapped = text.startsWith(MAPPED_PREFIX);
  return isMapped ? address[MAPPED_PREFIX_BYTES] === LOOPBACK_FIRST_BYTE : text === LOOPBACK_IPV6;
}
