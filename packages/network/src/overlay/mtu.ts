import { hostAddress } from '../address/host-address.js';
import type { NamespaceView } from '../kernel/contract.js';
import { MTU_BYTES_DEFAULT } from '../limits.js';
import type { OverlayNetwork } from '../tables/contract.js';
import type { DataPath } from './plan.js';

/** UDP, VXLAN and the inner Ethernet header (RFC 7348), below the headers of IP. */
const TUNNEL_OVERHEAD_BYTES = 30;
const IP_HEADER_BYTES = { 4: 20, 6: 40 } as const;
/** What a Docker Engine takes off the MTU that a network asks for, and off that of an encrypted one beside. */
const ENGINE_OVERHEAD_BYTES = 50;
const ENGINE_ENCRYPTION_BYTES = 26;

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
  if (network.mtuBytes > 0) return askedMtuBytes(network);
  const version = hostAddress(underlay.dataPath.address)?.version ?? 4;
  const around = TUNNEL_OVERHEAD_BYTES + IP_HEADER_BYTES[version] + overheadBytes;
  return underlay.mtuBytes - around;
}

/**
 * The option gives the MTU of the way between nodes; what is left of that is the same on Docker Engines (wire.md
 * 5.9): where the two differ, the longer datagrams are lost.
 */
function askedMtuBytes({ mtuBytes, encrypted }: OverlayNetwork): number {
  const left = mtuBytes - ENGINE_OVERHEAD_BYTES;
  return encrypted ? (left - ENGINE_ENCRYPTION_BYTES) & ~3 : left;
}
