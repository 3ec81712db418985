import type { NamespaceView } from '../kernel/contract.js';
import { MTU_BYTES_DEFAULT } from '../limits.js';
import type { OverlayNetwork } from '../tables/contract.js';

/** IPv4, UDP, VXLAN and the inner Ethernet header (RFC 7348). */
const TUNNEL_OVERHEAD_BYTES = 50;

/** The MTU of the link that has an address; without such a link, that of the way out. */
export function linkMtuBytes(host: NamespaceView, address: string): number {
  const holder = host.addresses.find((other) => other.address.startsWith(`${address}/`))?.link;
  const wayOut = host.routes.find(({ destination }) => destination === 'default')?.link;
  const link = host.links.find(({ name }) => name === (holder ?? wayOut));
  return link?.mtuBytes ?? MTU_BYTES_DEFAULT;
}

/**
 * What fits through the tunnels without being cut, unless the network's owner says otherwise.
 * `overheadBytes` is what encryption adds.
 */
export function overlayMtuBytes(
  network: OverlayNetwork,
  underlayMtuBytes: number,
  overheadBytes: number,
): number {
  return network.mtuBytes || underlayMtuBytes - TUNNEL_OVERHEAD_BYTES - overheadBytes;
}
