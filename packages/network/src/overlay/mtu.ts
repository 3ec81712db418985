import { hostAddress } from '../address/host-address.js';
import type { NamespaceView } from '../kernel/contract.js';
import { MTU_BYTES_DEFAULT } from '../limits.js';
import type { OverlayNetwork } from '../tables/contract.js';
import type { DataPath } from './plan.js';

/** UDP, VXLAN and the inner Ethernet header (RFC 7348), below the headers of IP. */
const TUNNEL_OVERHEAD_BYTES = 30;
const IP_HEADER_BYTES = { 4: 20, 6: 40 } as const;

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
  underlay: { dataPath: DataPath; mtuBytes: number },
  overheadBytes: number,
): number {
  const version = hostAddress(underlay.dataPath.address)?.version ?? 4;
  const around = TUNNEL_OVERHEAD_BYTES + IP_HEADER_BYTES[version] + overheadBytes;
  return network.mtuBytes || underlay.mtuBytes - around;
}
