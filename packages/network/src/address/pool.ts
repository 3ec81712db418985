import { Code, RpcError } from '@skep/platform';
import { formatSubnet, maskTo, overlaps, type Subnet, sizeOf, subnetOf } from './ipv4.js';

/**
 * An address range that is cut into subnets of one size, as in dockerd's `--default-address-pool`.
 */
export interface AddressPool {
  /** `172.20.0.0/14` */
  base: string;
  /** Prefix length of the subnets, at least that of the base. */
  size: number;
}

/** Docker's pools for local networks. */
export const LOCAL_POOLS: readonly AddressPool[] = [
  { base: '172.17.0.0/16', size: 16 },
  { base: '172.18.0.0/16', size: 16 },
  { base: '172.19.0.0/16', size: 16 },
  { base: '172.20.0.0/14', size: 16 },
  { base: '172.24.0.0/14', size: 16 },
  { base: '172.28.0.0/14', size: 16 },
  { base: '192.168.0.0/16', size: 20 },
];

/** Where the two addresses between the host and its ingress namespace come from. */
export const LINK_POOLS: readonly AddressPool[] = [
  { base: '172.31.255.0/24', size: 30 },
  { base: '192.168.255.0/24', size: 30 },
  { base: '10.255.255.0/24', size: 30 },
];

function* subnetsOf(pool: AddressPool): Generator<Subnet> {
  const base = subnetOf(pool.base);
  const step = 2 ** (32 - pool.size);
  for (let offset = 0; offset < sizeOf(base); offset += step) {
    yield { network: maskTo(base.network + offset, pool.size), prefixLength: pool.size };
  }
}

/**
 * The first subnet of the pools that touches none of `taken`. Rejects with Docker's words when all
 * do.
 */
export function pickSubnet(pools: readonly AddressPool[], taken: readonly Subnet[]): string {
  for (const pool of pools) {
    for (const subnet of subnetsOf(pool)) {
      if (!taken.some((other) => overlaps(subnet, other))) return formatSubnet(subnet);
    }
  }
  throw new RpcError(
    Code.RESOURCE_EXHAUSTED,
    'could not find an available, non-overlapping IPv4 address pool ' +
      'among the defaults to assign to the network',
  );
}
