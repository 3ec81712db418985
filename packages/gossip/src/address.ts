import { isIPv4, isIPv6 } from 'node:net';
import { GossipFormatError } from './errors.js';

/** Where a node takes packets and connections. */
export interface Address {
  /** `192.168.1.7` or `2001:db8::7`, in the shortest form. */
  ip: string;
  /** 1 … 65535. */
  port: number;
}

export function sameAddress(one: Address, other: Address): boolean {
  return one.ip === other.ip && one.port === other.port;
}

/** `192.168.1.7:7946`, `[2001:db8::7]:7946`. */
export function formatAddress({ ip, port }: Address): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

const IPV4_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/**
 * An address as 4 or 16 bytes have it. IPv4 in 16 bytes is IPv4: Go has both forms of one address.
 * Throws {@link GossipFormatError} for any other length.
 */
export function ipFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new GossipFormatError(`an address of ${bytes.length} bytes`);
  if (IPV4_MAPPED.every((byte, at) => bytes[at] === byte)) return bytes.subarray(12).join('.');
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) {
    groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  }
  return shortened(groups);
}

/** The first longest run of zeros, of two or more, becomes `::`. */
function shortened(groups: readonly string[]): string {
  let [start, length] = [0, 0];
  for (let from = 0; from < groups.length; from++) {
    let to = from;
    while (groups[to] === '0') to++;
    if (to - from > length) [start, length] = [from, to - from];
  }
  if (length < 2) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}

/** 4 or 16 bytes. Throws {@link GossipFormatError} for what is no address. */
export function ipToBytes(ip: string): Uint8Array {
  if (isIPv4(ip)) return Uint8Array.from(ip.split('.'), Number);
  if (!isIPv6(ip) || ip.includes('.') || ip.includes('%')) {
    throw new GossipFormatError(`no address: ${ip}`);
  }
  const [head = '', tail] = ip.split('::');
  const groupsOf = (text: string) => (text === '' ? [] : text.split(':'));
  const [first, last] = [groupsOf(head), groupsOf(tail ?? '')];
  const zeros = Array<string>(8 - first.length - last.length).fill('0');
  const bytes = new Uint8Array(16);
  [...first, ...zeros, ...last].forEach((group, at) => {
    const value = Number.parseInt(group, 16);
    bytes[2 * at] = value >> 8;
    bytes[2 * at + 1] = value & 0xff;
  });
  return bytes;
}
