import { readFileSync } from 'node:fs';

const ROUTES = '/proc/net/route';
const ADDRESS_BYTES = 4;

/** The IPv4 subnets that this machine has routes to, as CIDRs; none where the kernel does not say. */
export function hostSubnets(): string[] {
  try {
    return parseRoutes(readFileSync(ROUTES, 'utf8'));
  } catch {
    return [];
  }
}

/** Reads the kernel's table: destination and mask are hexadecimal, in the byte order of the machine. */
export function parseRoutes(text: string): string[] {
  const [header = '', ...rows] = text.trim().split('\n');
  const names = header.trim().split(/\s+/);
  const [destinationAt, maskAt] = [names.indexOf('Destination'), names.indexOf('Mask')];
  const subnets = rows.flatMap((row) => {
    const fields = row.trim().split(/\s+/);
    const destination = bytesOf(fields[destinationAt]);
    const mask = bytesOf(fields[maskAt]);
    return destination && mask ? [`${destination.join('.')}/${bitsOf(mask)}`] : [];
  });
  return [...new Set(subnets)];
}

function bytesOf(hex: string | undefined): number[] | undefined {
  if (!hex || !/^[0-9A-F]{8}$/i.test(hex)) return undefined;
  const number = Number.parseInt(hex, 16);
  return Array.from({ length: ADDRESS_BYTES }, (_, at) => (number >>> (8 * at)) & 0xff);
}

function bitsOf(mask: readonly number[]): number {
  return mask.reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
}
