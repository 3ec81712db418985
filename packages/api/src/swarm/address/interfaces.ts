import { BlockList, isIP } from 'node:net';

/** A network interface of this machine. */
export interface NetworkInterface {
  name: string;
  up: boolean;
  loopback: boolean;
  /** A piece of hardware, or what the machine takes for one; not a bridge, veth or tunnel. */
  device: boolean;
  /** Bare IP addresses. */
  addresses: readonly string[];
}

/** A list of address ranges, `address/bits` each; ranges that are none are ignored. */
export function addressRanges(cidrs: readonly string[]): BlockList {
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', bits = ''] = cidr.split('/');
    const family = isIP(address);
    if (family === 0 || !/^\d{1,3}$/.test(bits)) continue;
    list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

export function isInRanges(ranges: BlockList, address: string): boolean {
  return ranges.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

/** Loopback, link-local, multicast and the like: nothing another machine could use. */
const NOT_GLOBAL = addressRanges([
  '0.0.0.0/32',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '255.255.255.255/32',
  '::/127',
  'fe80::/10',
  'ff00::/8',
]);

export function isGlobalUnicast(address: string): boolean {
  return isIP(address) !== 0 && !isInRanges(NOT_GLOBAL, address);
}

/** `0.0.0.0` or `::`. */
export function isUnspecified(address: string): boolean {
  return isIP(address) !== 0 && /^[0:.]+$/.test(address);
}
