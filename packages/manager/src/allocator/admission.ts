import type { ReadView } from '@skep/store';
import type { NetworkObject } from '@skep/wire';
import { AllocationError } from './errors.js';
import { foreignSubnets, routedSubnets } from './foreign.js';
import { formatSubnet, overlap, parseSubnet } from './ipv4.js';
import { networksInOrder, networksPlan } from './rebuild.js';
import { overlaps } from './subnet-pool.js';

/**
 * Tries whether a new network can have what it asks for beside those there are, so that whoever makes it
 * hears of it instead of waiting for ever. Throws `AllocationError`.
 */
export function admitNetwork(
  view: ReadView,
  network: NetworkObject,
  hostSubnets: readonly string[],
): void {
  refuseRouted(network, hostSubnets);
  const avoided = foreignSubnets(view, hostSubnets);
  const plan = networksPlan(view, () => {}); // the allocator has told of contradictions
  for (const other of networksInOrder(view)) {
    try {
      plan.allocateNetwork(other, avoided);
    } catch (error) {
      if (!(error instanceof AllocationError)) throw error; // it waits, and takes nothing from this one
    }
  }
  plan.allocateNetwork(network, avoided);
}

/** Containers of such a network could reach one of the two only, and nobody would know which. */
function refuseRouted(network: NetworkObject, hostSubnets: readonly string[]): void {
  const routes = routedSubnets(hostSubnets);
  for (const { subnet: text } of network.spec.ipam?.configs ?? []) {
    const subnet = parseSubnet(text);
    const route = subnet && routes.find((other) => overlap(other, subnet));
    if (subnet && route) throw overlaps(subnet, `the route to ${formatSubnet(route)} of this host`);
  }
}
