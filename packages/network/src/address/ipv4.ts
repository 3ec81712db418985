import { invariant } from '@skep/platform';

/** IPv4 addresses as unsigned 32-bit numbers, and subnets written `10.0.0.0/24`. */

export interface Subnet {
  /** First address, a u32. */
  network: number;
  /** 0 … 32. */
  prefixLength: number;
}

const OCTET = /^(0|[1-9]\d{0,2})$/;

/** The address as u32, or undefined when the text is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    const octet = Number(part);
    if (!OCTET.test(part) || octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** Reads `10.0.0.5/24`: the address and the subnet it lies in. Undefined when the text is none. */
export function parseInterfaceAddress(
  text: string,
): { address: number; subnet: Subnet } | undefined {
  const [addressText = '', prefixText = '', ...rest] = text.split('/');
  const address = parseAddress(addressText);
  const prefixLength = Number(prefixText);
  if (address === undefined || rest.length > 0 || !/^\d{1,2}$/.test(prefixText)) return undefined;
  if (prefixLength > 32) return undefined;
  return { address, subnet: { network: maskTo(address, prefixLength), prefixLength } };
}

/** The subnet written in `text`; host bits are ignored. Throws InvariantError when it is none. */
export function subnetOf(text: string): Subnet {
  const parsed = parseInterfaceAddress(text);
  invariant(parsed, 'a subnet is written as address/length', { text });
  return parsed.subnet;
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.network)}/${subnet.prefixLength}`;
}

/** The first address of the block of `prefixLength` that holds `address`. */
export function maskTo(address: number, prefixLength: number): number {
  return address - (address % 2 ** (32 - prefixLength));
}

export function sizeOf(subnet: Subnet): number {
  return 2 ** (32 - subnet.prefixLength);
}

export function contains(subnet: Subnet, address: number): boolean {
  return maskTo(address, subnet.prefixLength) === subnet.network;
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  return contains(one, other.network) || contains(other, one.network);
}

/** Docker's rule: `02:42:` and the four octets, so that an address always has the same MAC. */
export function macOf(address: number): string {
  const octets = [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff);
  return ['02', '42', ...octets.map((octet) => octet.toString(16).padStart(2, '0'))].join(':');
}

export function bytesOfAddress(text: string): Buffer {
  const address = parseAddress(text);
  invariant(address !== undefined, 'an IPv4 address', { text });
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(address);
  return bytes;
}
