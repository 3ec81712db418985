import { isIPv6 } from 'node:net';
import { bytesOfAddress, parseAddress } from './ipv4.js';

/** An address of either kind. */
export interface HostAddress {
  version: 4 | 6;
  /** As messages carry it: 4 or 16 bytes. */
  data: Uint8Array;
  /** Under which name the address itself is looked up: `5.1.0.10.in-addr.arpa`. */
  reverseName: string;
}

/** Reads an address, with prefix length or without; undefined when the text is none. */
export function hostAddress(text: string): HostAddress | undefined {
  const [address = ''] = text.split('/');
  if (parseAddress(address) !== undefined) {
    const reverseName = `${address.split('.').reverse().join('.')}.in-addr.arpa`;
    return { version: 4, data: bytesOfAddress(address), reverseName };
  }
  if (!isIPv6(address) || address.includes('%')) return undefined;
  const data = bytesOfIpv6(address);
  const digits = [...data.toString('hex')].reverse();
  return { version: 6, data, reverseName: `${digits.join('.')}.ip6.arpa` };
}

/** The text of 4 or 16 bytes; an IPv6 address in its one canonical form (RFC 5952). */
export function formatHostAddress(data: Uint8Array): string {
  if (data.length === 4) return [...data].join('.');
  const groups = Buffer.from(data).toString('hex').match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** The same address as the kernel is read to have it; what is no address stays as it is. */
export function canonicalAddress(text: string): string {
  const address = hostAddress(text);
  return address ? formatHostAddress(address.data) : text;
}

/** Of a text that is an IPv6 address. */
function bytesOfIpv6(text: string): Buffer {
  const [head = '', tail] = text.split('::');
  const first = groupsOf(head);
  const last = groupsOf(tail ?? '');
  const between = Array.from({ length: 8 - first.length - last.length }, () => 0);
  const bytes = Buffer.alloc(16);
  for (const [place, group] of [...first, ...between, ...last].entries()) {
    bytes.writeUInt16BE(group, 2 * place);
  }
  return bytes;
}

/** The 16-bit groups of a part; an IPv4 address at its end makes two. */
function groupsOf(part: string): number[] {
  if (part === '') return [];
  return part.split(':').flatMap((group) => {
    const ipv4 = parseAddress(group);
    return ipv4 === undefined ? [Number.parseInt(group, 16)] : [ipv4 >>> 16, ipv4 & 0xffff];
  });
}
