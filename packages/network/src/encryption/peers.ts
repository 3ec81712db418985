import { hostAddress } from '../address/host-address.js';
import type { NetworkNode, TablesView } from '../tables/contract.js';
import type { WireGuardPeer } from './wireguard-config.js';

/** A node whose datagrams only IPsec can carry. */
export interface IpsecPeer {
  nodeId: string;
  /** IPv4. */
  tunnelAddress: string;
}

export interface EncryptedPeers {
  wireGuard: WireGuardPeer[];
  ipsec: IpsecPeer[];
}

/**
 * Which nodes this one exchanges encrypted datagrams with, all others of its encrypted networks, and how:
 * by WireGuard where both ends have it, else as Docker Engines do. Both ends come to the same.
 */
export function encryptedPeers(view: TablesView, hasWireGuard: boolean): EncryptedPeers {
  const wireGuard = new Map<string, WireGuardPeer>();
  const ipsec = new Map<string, IpsecPeer>();
  for (const network of view.networks().filter(({ encrypted }) => encrypted)) {
    for (const node of view.nodes(network.id)) {
      const { nodeId, wireguardKey: publicKey, wireguardPort: port } = node;
      const tunnelAddress = reachedAt(node);
      if (node.address === network.nodeAddress || !tunnelAddress) continue;
      if (!hasWireGuard || publicKey.length === 0) ipsec.set(nodeId, { nodeId, tunnelAddress });
      else wireGuard.set(nodeId, { nodeId, publicKey, tunnelAddress, port });
    }
  }
  return { wireGuard: [...wireGuard.values()], ipsec: [...ipsec.values()] };
}

/** Encrypted ways are of IPv4 alone: there are no rules that would keep others shut. */
function reachedAt({ tunnelAddress }: NetworkNode): string | undefined {
  return hostAddress(tunnelAddress)?.version === 4 ? tunnelAddress.split('/')[0] : undefined;
}
