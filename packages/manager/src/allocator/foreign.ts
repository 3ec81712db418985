import type { ReadView } from '@skep/store';
import { dataPathOf } from '@skep/wire';
import { parseAddress, parseSubnet, type Subnet } from './ipv4.js';
import { AGGREGATE_BITS_MAX } from './limits.js';

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

/**
 * Those of a list of CIDRs that an IPv4 network should not overlap. A default route is none of them, nor is one
 * that takes whole private blocks to some gateway: nothing would be left.
 */
export function routedSubnets(cidrs: readonly string[]): Subnet[] {
  return cidrs
    .map(parseSubnet)
    .filter((subnet): subnet is Subnet => subnet !== undefined && subnet.bits > AGGREGATE_BITS_MAX);
}
