import { formatHostAddress, hostAddress } from '../../address/host-address.js';
import type { LinkChange, LinkView, VethEnd, VxlanSpec } from '../contract.js';
import { attribute, decodeAttributes, decodeText, nested, text, u8, u16be, u32 } from './codec.js';

/** Bodies of rtnetlink's link messages. Source: linux/if_link.h, linux/rtnetlink.h. */

export const LinkMessage = { NEW: 16, DELETE: 17, GET: 18 } as const;

const INFO_BYTES = 16;
const INDEX_OFFSET = 4;
const FLAG_UP = 1;
const Ifla = {
  ADDRESS: 1,
  NAME: 3,
  MTU: 4,
  MASTER: 10,
  LINKINFO: 18,
  STATS64: 23,
  NAMESPACE_FD: 28,
  EXTENDED_MASK: 29,
} as const;
/** RTEXT_FILTER_SKIP_STATS */
const SKIP_STATS = 1 << 3;
const Info = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const VETH_PEER = 1;
const Vxlan = { VNI: 1, LOCAL: 4, LEARNING: 7, PROXY: 11, PORT: 15, LOCAL6: 17 } as const;
const BridgePort = { HAIRPIN: 4, ISOLATED: 33 } as const;

/** `struct ifinfomsg`. `up` sets or clears the flag; undefined leaves it. */
function linkHeader(index: number, up: boolean | undefined): Buffer {
  const bytes = Buffer.alloc(INFO_BYTES);
  bytes.writeInt32LE(index, 4);
  if (up !== undefined) {
    bytes.writeUInt32LE(up ? FLAG_UP : 0, 8);
    bytes.writeUInt32LE(FLAG_UP, 12);
  }
  return bytes;
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

export function formatMac(bytes: Buffer): string {
  return bytes.toString('hex').replace(/(..)(?=.)/g, '$1:');
}

/** What the caller looked up for one end of a veth pair. */
export interface VethEndHandles {
  /** Descriptor of its namespace; undefined: the namespace of the socket. */
  namespaceFd?: number;
  /** Index of its bridge, when it has one in the socket's namespace. */
  masterIndex?: number;
}

function vethEnd(end: VethEnd, handles: VethEndHandles, mtuBytes: number): Buffer[] {
  const parts = [text(Ifla.NAME, end.link), u32(Ifla.MTU, mtuBytes)];
  if (end.mac) parts.push(attribute(Ifla.ADDRESS, macBytes(end.mac)));
  if (handles.masterIndex !== undefined) parts.push(u32(Ifla.MASTER, handles.masterIndex));
  if (handles.namespaceFd !== undefined) parts.push(u32(Ifla.NAMESPACE_FD, handles.namespaceFd));
  return parts;
}

/**
 * Both ends of a veth pair in one message. The near end is up at once; the far end cannot be, since
 * the kernel opens it before the two know each other (ENOTCONN).
 */
export function encodeVeth(
  mtuBytes: number,
  near: { end: VethEnd; handles: VethEndHandles },
  far: { end: VethEnd; handles: VethEndHandles },
): Buffer {
  const peer = nested(
    VETH_PEER,
    linkHeader(0, undefined),
    ...vethEnd(far.end, far.handles, mtuBytes),
  );
  return Buffer.concat([
    linkHeader(0, true),
    ...vethEnd(near.end, near.handles, mtuBytes),
    nested(Ifla.LINKINFO, text(Info.KIND, 'veth'), nested(Info.DATA, peer)),
  ]);
}

export function encodeBridge(link: string, mac: string | undefined): Buffer {
  return Buffer.concat([
    linkHeader(0, undefined),
    text(Ifla.NAME, link),
    ...(mac ? [attribute(Ifla.ADDRESS, macBytes(mac))] : []),
    nested(Ifla.LINKINFO, text(Info.KIND, 'bridge')),
  ]);
}

/**
 * A VXLAN link in the namespace of `namespaceFd`; its packets travel through the socket's. The kernel
 * makes it there at once: a link that is moved later would keep its name's place here for a moment.
 */
export function encodeVxlan(
  link: string,
  spec: VxlanSpec & { mtuBytes: number },
  namespaceFd: number | undefined,
): Buffer {
  const data = [
    u32(Vxlan.VNI, spec.vni),
    u16be(Vxlan.PORT, spec.udpPort),
    u8(Vxlan.LEARNING, 0),
    u8(Vxlan.PROXY, 1),
  ];
  const local = hostAddress(spec.localAddress);
  if (local) data.push(attribute(local.version === 4 ? Vxlan.LOCAL : Vxlan.LOCAL6, local.data));
  return Buffer.concat([
    linkHeader(0, undefined),
    text(Ifla.NAME, link),
    u32(Ifla.MTU, spec.mtuBytes),
    ...(namespaceFd === undefined ? [] : [u32(Ifla.NAMESPACE_FD, namespaceFd)]),
    nested(Ifla.LINKINFO, text(Info.KIND, 'vxlan'), nested(Info.DATA, ...data)),
  ]);
}

export function encodeLinkChange(
  index: number,
  change: LinkChange,
  masterIndex: number | undefined,
): Buffer {
  const parts = [linkHeader(index, change.up)];
  if (change.mac) parts.push(attribute(Ifla.ADDRESS, macBytes(change.mac)));
  if (change.mtuBytes !== undefined) parts.push(u32(Ifla.MTU, change.mtuBytes));
  if (change.newName) parts.push(text(Ifla.NAME, change.newName));
  if (masterIndex !== undefined) parts.push(u32(Ifla.MASTER, masterIndex));
  return Buffer.concat(parts);
}

/**
 * A bridge port's options go in a message of their own, once it is plugged in; undefined: none to
 * set.
 */
export function encodePortOptions(index: number, change: LinkChange): Buffer | undefined {
  const { isolated, hairpin } = change;
  const options: Buffer[] = [];
  if (hairpin !== undefined) options.push(u8(BridgePort.HAIRPIN, hairpin ? 1 : 0));
  if (isolated !== undefined) options.push(u8(BridgePort.ISOLATED, isolated ? 1 : 0));
  if (options.length === 0) return undefined;
  return Buffer.concat([
    linkHeader(index, undefined),
    nested(Ifla.LINKINFO, text(Info.SLAVE_KIND, 'bridge'), nested(Info.SLAVE_DATA, ...options)),
  ]);
}

/** Asks for the link of a name, without what it has carried: those figures are most of an answer. */
export function encodeLinkQuery(link: string): Buffer {
  return Buffer.concat([encodeLinkName(link), u32(Ifla.EXTENDED_MASK, SKIP_STATS)]);
}

/** The index of a link as the kernel tells it. */
export function decodeLinkIndex(body: Buffer): number {
  return body.readInt32LE(INDEX_OFFSET);
}

/** The link of a name, to be removed. */
export function encodeLinkName(link: string): Buffer {
  return Buffer.concat([linkHeader(0, undefined), text(Ifla.NAME, link)]);
}

/** Asks for all links. */
export function encodeLinkDump(): Buffer {
  return linkHeader(0, undefined);
}

/** A link as the kernel tells it; `master` still as an index. */
export function decodeLink(body: Buffer): Omit<LinkView, 'master'> & { masterIndex: number } {
  const attributes = decodeAttributes(body.subarray(INFO_BYTES));
  const info = decodeAttributes(attributes.get(Ifla.LINKINFO) ?? Buffer.alloc(0));
  const kind = decodeText(info.get(Info.KIND) ?? Buffer.alloc(0));
  const vxlan = kind === 'vxlan' ? decodeVxlan(info.get(Info.DATA)) : undefined;
  return {
    name: decodeText(attributes.get(Ifla.NAME) ?? Buffer.alloc(0)),
    index: decodeLinkIndex(body),
    kind,
    ...(vxlan && { vxlan }),
    mac: formatMac(attributes.get(Ifla.ADDRESS) ?? Buffer.alloc(0)),
    mtuBytes: attributes.get(Ifla.MTU)?.readUInt32LE() ?? 0,
    up: (body.readUInt32LE(8) & FLAG_UP) !== 0,
    masterIndex: attributes.get(Ifla.MASTER)?.readUInt32LE() ?? 0,
    counters: decodeCounters(attributes.get(Ifla.STATS64)),
  };
}

function decodeVxlan(data: Buffer | undefined): VxlanSpec {
  const attributes = decodeAttributes(data ?? Buffer.alloc(0));
  const local = attributes.get(Vxlan.LOCAL) ?? attributes.get(Vxlan.LOCAL6);
  return {
    vni: attributes.get(Vxlan.VNI)?.readUInt32LE() ?? 0,
    udpPort: attributes.get(Vxlan.PORT)?.readUInt16BE() ?? 0,
    localAddress: local ? formatHostAddress(local) : '',
  };
}

/** `struct rtnl_link_stats64`: its first eight numbers. */
function decodeCounters(bytes: Buffer | undefined): LinkView['counters'] {
  const at = (place: number) => (bytes ? Number(bytes.readBigUInt64LE(place * 8)) : 0);
  return {
    rxPackets: at(0),
    txPackets: at(1),
    rxBytes: at(2),
    txBytes: at(3),
    rxErrors: at(4),
    txErrors: at(5),
    rxDropped: at(6),
    txDropped: at(7),
  };
}
