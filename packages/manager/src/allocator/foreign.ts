import type { ReadView } from '@skep/store';
import { dataPathOf } from '@skep/wire';
import { parseAddress, parseSubnet, type Subnet } from './ipv4.js';

/**
 * What new subnets must keep clear of: addresses of the swarm's nodes, and what the host of this manager has
 * routes to. No manager knows the routes of other hosts.
 */
export function foreignSubnets(view: ReadView, hostSubnets: readonly string[]): Subnet[] {
  const addresses = [...view.all('node')].flatMap(({ description, status }) => [
    status.addr,
    dataPathOf(description)?.address ?? '',
  ]);
  const nodes = addresses.map(parseAddress).filter((address) => address !== undefined);
  return [...nodes.map((base) => ({ base, bits: 32 })), ...routedSubnets(hostSubnets)];
}

/** Those of a list of CIDRs that an IPv4 network can overlap; a default route is none. */
export function routedSubnets(cidrs: readonly string[]): Subnet[] {
  return cidrs
    .map(parseSubnet)
    .filter((subnet): subnet is Subnet => subnet !== undefined && subnet.bits > 0);
}
