import { invariant } from '@skep/platform';
import { formatHostAddress, hostAddress } from '../../address/host-address.js';
import { bytesOfAddress } from '../../address/ipv4.js';
import type { TunnelEntries } from '../contract.js';
import { attribute, decodeAttributes } from './codec.js';
import { formatMac, macBytes } from './link.js';

/**
 * Bodies of rtnetlink's neighbour messages: ARP entries, and the forwarding entries of VXLAN links.
 * Source: linux/neighbour.h.
 */

export const NeighbourMessage = { NEW: 28, DELETE: 29, GET: 30 } as const;

const HEADER_BYTES = 12;
const AF_INET = 2;
const AF_BRIDGE = 7;
const STATE_PERMANENT = 0x80;
/** Of a bridge's entry: it does not age. */
const STATE_STATIC = 0x40;
/** The entry is the link's own, not that of the bridge it is plugged into. */
const FLAG_SELF = 0x02;
/** It is the bridge's. */
const FLAG_MASTER = 0x04;
const Nda = { DESTINATION: 1, LINK_ADDRESS: 2 } as const;

/** `struct ndmsg` */
function header(family: number, linkIndex: number, flags: number, state = STATE_PERMANENT): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt8(family, 0);
  bytes.writeInt32LE(linkIndex, 4);
  bytes.writeUInt16LE(state, 8);
  bytes.writeUInt8(flags, 10);
  return bytes;
}

/** Without `mac`: for its removal. */
export function encodeNeighbour(linkIndex: number, address: string, mac?: string): Buffer {
  return Buffer.concat([
    header(AF_INET, linkIndex, 0),
    attribute(Nda.DESTINATION, bytesOfAddress(address)),
    ...(mac ? [attribute(Nda.LINK_ADDRESS, macBytes(mac))] : []),
  ]);
}

/** Without `tunnelAddress`: for its removal. */
export function encodeForwarding(linkIndex: number, mac: string, tunnelAddress?: string): Buffer {
  return Buffer.concat([
    header(AF_BRIDGE, linkIndex, FLAG_SELF),
    attribute(Nda.LINK_ADDRESS, macBytes(mac)),
    ...(tunnelAddress ? [attribute(Nda.DESTINATION, tunnelEnd(tunnelAddress))] : []),
  ]);
}

function tunnelEnd(text: string): Uint8Array {
  const address = hostAddress(text);
  invariant(address, 'the address of a tunnel’s end', { text });
  return address.data;
}

/** `linkIndex` is a port of the bridge. */
export function encodePortMac(linkIndex: number, mac: string): Buffer {
  return Buffer.concat([
    header(AF_BRIDGE, linkIndex, FLAG_MASTER, STATE_STATIC),
    attribute(Nda.LINK_ADDRESS, macBytes(mac)),
  ]);
}

export function encodeNeighbourDump(): Buffer {
  return header(AF_INET, 0, 0);
}

export function encodeForwardingDump(): Buffer {
  return header(AF_BRIDGE, 0, 0);
}

interface Decoded {
  linkIndex: number;
  /** Empty: the entry has none. */
  destination: string;
  mac: string;
}

/** Undefined for an entry that the kernel learned, and may forget. */
function decode(body: Buffer): Decoded | undefined {
  if ((body.readUInt16LE(8) & STATE_PERMANENT) === 0) return undefined;
  const attributes = decodeAttributes(body.subarray(HEADER_BYTES));
  const destination = attributes.get(Nda.DESTINATION);
  return {
    linkIndex: body.readInt32LE(4),
    destination: destination ? formatHostAddress(destination) : '',
    mac: formatMac(attributes.get(Nda.LINK_ADDRESS) ?? Buffer.alloc(0)),
  };
}

export function decodeNeighbour(
  body: Buffer,
  nameOf: (linkIndex: number) => string,
): TunnelEntries['neighbours'] {
  const entry = decode(body);
  if (!entry?.destination) return [];
  return [{ link: nameOf(entry.linkIndex), address: entry.destination, mac: entry.mac }];
}

/** Nothing for the entries of bridges, which lead to no tunnel. */
export function decodeForwarding(
  body: Buffer,
  nameOf: (linkIndex: number) => string,
): TunnelEntries['forwarding'] {
  const entry = decode(body);
  if (!entry?.destination) return [];
  return [{ link: nameOf(entry.linkIndex), mac: entry.mac, tunnelAddress: entry.destination }];
}
