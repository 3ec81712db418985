import { contains, parseAddress, parseInterfaceAddress, subnetOf } from '../address/ipv4.js';
import { overlayBridge, overlayTunnel } from '../names.js';
import type { OverlayNetwork } from '../tables/contract.js';
import type { OverlaySegment } from './contract.js';

export interface TunnelledSegment extends OverlaySegment {
  vni: number;
}

/** The subnets of a network that have a tunnel; a bridge and a VXLAN link for each. */
export function segmentsOf(network: OverlayNetwork): TunnelledSegment[] {
  return network.subnets
    .filter(({ subnet, vni }) => vni !== 0 && parseInterfaceAddress(subnet))
    .map(({ subnet, gateway, vni }, place) => ({
      subnet,
      gateway,
      vni,
      bridge: overlayBridge(place),
      tunnel: overlayTunnel(place),
    }));
}

/** The segment whose subnet holds an address (written with or without prefix length). */
export function segmentWith<T extends OverlaySegment>(
  segments: readonly T[],
  address: string,
): T | undefined {
  const parsed = parseAddress(address.replace(/\/.*/, ''));
  if (parsed === undefined) return undefined;
  return segments.find(({ subnet }) => contains(subnetOf(subnet), parsed));
}
