import { bareAddress, macOfAddress } from '../sandbox/plan.js';
import type { NetworkEndpoint, NetworkNode, OverlayNetwork } from '../tables/contract.js';
import type { OverlaySegment } from './contract.js';
import { segmentWith } from './segments.js';

/** One entry of a tunnel: the MAC of an address, or the tunnel's end that a MAC is behind. */
export interface TunnelEntry {
  kind: 'neighbour' | 'forwarding';
  link: string;
  /** An IPv4 address, or a MAC. */
  key: string;
  /** A MAC, or the address of a tunnel's end. */
  value: string;
}

/** What the tunnels of a network need to know of another node. */
export function entriesOfNode(
  network: OverlayNetwork,
  segments: readonly OverlaySegment[],
  node: NetworkNode,
): TunnelEntry[] {
  if (!isElsewhere(network, node)) return [];
  const segment = segmentWith(segments, node.address);
  if (!segment) return [];
  const mac = macOfAddress(node.address);
  return pair(segment.tunnel, node.address, mac, node.tunnelAddress);
}

/** And of a container on another node. */
export function entriesOfEndpoint(
  network: OverlayNetwork,
  segments: readonly OverlaySegment[],
  endpoint: NetworkEndpoint,
  node: NetworkNode | undefined,
): TunnelEntry[] {
  if (!node || !isElsewhere(network, node)) return [];
  const nodeMac = macOfAddress(node.address);
  return endpoint.addresses.flatMap((address) => {
    const segment = segmentWith(segments, address);
    if (!segment) return [];
    // Frames for a task behind the routing mesh go to its node, which routes them: connections are
    // then tracked at both ends, and answers find back. A Docker Engine does not take part in that.
    if (network.ingress && node.ownAgent) {
      return [{ ...neighbour(segment.tunnel, address), value: nodeMac }];
    }
    return pair(segment.tunnel, address, macOfAddress(address), node.tunnelAddress);
  });
}

function isElsewhere(network: OverlayNetwork, node: NetworkNode): boolean {
  return node.address !== network.nodeAddress && node.tunnelAddress !== '';
}

function neighbour(link: string, address: string) {
  return { kind: 'neighbour', link, key: bareAddress(address) } as const;
}

function pair(link: string, address: string, mac: string, tunnelAddress: string): TunnelEntry[] {
  return [
    { ...neighbour(link, address), value: mac },
    { kind: 'forwarding', link, key: mac, value: tunnelAddress },
  ];
}
