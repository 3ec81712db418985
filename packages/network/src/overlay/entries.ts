import { canonicalAddress, hostAddress } from '../address/host-address.js';
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

/** This node's end of a network's tunnels. */
export interface TunnelsOfNetwork {
  network: OverlayNetwork;
  segments: readonly OverlaySegment[];
  /** Of the addresses that tunnels meet at. */
  ipVersion: 4 | 6;
}

/** What the tunnels of a network need to know of another node. */
export function entriesOfNode(tunnels: TunnelsOfNetwork, node: NetworkNode): TunnelEntry[] {
  if (!isReached(tunnels, node)) return [];
  const segment = segmentWith(tunnels.segments, node.address);
  if (!segment) return [];
  const mac = macOfAddress(node.address);
  return pair(segment.tunnel, node.address, mac, node.tunnelAddress);
}

/** And of a container on another node. */
export function entriesOfEndpoint(
  tunnels: TunnelsOfNetwork,
  endpoint: NetworkEndpoint,
  node: NetworkNode | undefined,
): TunnelEntry[] {
  if (!node || !isReached(tunnels, node)) return [];
  const nodeMac = macOfAddress(node.address);
  return endpoint.addresses.flatMap((address) => {
    const segment = segmentWith(tunnels.segments, address);
    if (!segment) return [];
    // Frames for a task behind the routing mesh go to its node, which routes them: connections are
    // then tracked at both ends, and answers find back. A Docker Engine does not take part in that.
    if (tunnels.network.ingress && node.ownAgent) {
      return [{ ...neighbour(segment.tunnel, address), value: nodeMac }];
    }
    return pair(segment.tunnel, address, macOfAddress(address), node.tunnelAddress);
  });
}

/** Elsewhere, and by the same kind of addresses: no tunnel leads from one kind to the other. */
function isReached({ network, ipVersion }: TunnelsOfNetwork, node: NetworkNode): boolean {
  if (node.address === network.nodeAddress) return false;
  return hostAddress(node.tunnelAddress)?.version === ipVersion;
}

function neighbour(link: string, address: string) {
  return { kind: 'neighbour', link, key: bareAddress(address) } as const;
}

function pair(link: string, address: string, mac: string, tunnelAddress: string): TunnelEntry[] {
  return [
    { ...neighbour(link, address), value: mac },
    { kind: 'forwarding', link, key: mac, value: canonicalAddress(tunnelAddress) },
  ];
}
