/** IPv4 addresses as unsigned 32-bit numbers, and ranges of them. */

/** `bits` leading bits of `base` are fixed; the rest of `base` is zero. */
export interface Subnet {
  base: number;
  bits: number;
}

const ADDRESS_BITS = 32;

/** An address in dotted form; undefined when it is none. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** A subnet in CIDR form, host bits cleared; undefined when it is none. */
export function parseSubnet(text: string): Subnet | undefined {
  const parsed = parseCidr(text);
  if (!parsed) return undefined;
  const sizeOfIt = 2 ** (ADDRESS_BITS - parsed.bits);
  return { base: parsed.address - (parsed.address % sizeOfIt), bits: parsed.bits };
}

/** An address with its subnet's length, as in `10.0.0.5/24`. */
export function parseCidr(text: string): { address: number; bits: number } | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,2}$/.test(bits) || Number(bits) > ADDRESS_BITS) {
    return undefined;
  }
  return { address, bits: Number(bits) };
}

export function formatCidr(address: number, bits: number): string {
  return `${formatAddress(address)}/${bits}`;
}

export function formatSubnet({ base, bits }: Subnet): string {
  return formatCidr(base, bits);
}

/** Number of addresses. */
export function sizeOf(subnet: Subnet): number {
  return 2 ** (ADDRESS_BITS - subnet.bits);
}

export function lastOf(subnet: Subnet): number {
  return subnet.base + sizeOf(subnet) - 1;
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address <= lastOf(subnet);
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return a.base <= lastOf(b) && b.base <= lastOf(a);
}
