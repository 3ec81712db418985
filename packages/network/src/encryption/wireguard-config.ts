import { bareAddress } from '../sandbox/plan.js';
import type { NetworkNode, TablesView } from '../tables/contract.js';

/** The other end of a tunnel between two nodes. */
export interface WireGuardPeer {
  nodeId: string;
  /** 32 bytes. */
  publicKey: Uint8Array;
  /** Where its packets go, and the one address it may send from and be sent to. */
  tunnelAddress: string;
  port: number;
}

/**
 * Which nodes this one exchanges encrypted datagrams with: all others of its encrypted networks.
 * `unreachable` are those that have no key (Docker Engines, nodes that cannot encrypt): nothing goes
 * to them rather than in clear.
 */
export function wireGuardPeers(view: TablesView): {
  peers: WireGuardPeer[];
  unreachable: NetworkNode[];
} {
  const peers = new Map<string, WireGuardPeer>();
  const unreachable = new Map<string, NetworkNode>();
  for (const network of view.networks()) {
    if (!network.encrypted) continue;
    for (const node of view.nodes(network.id)) {
      const { address: own, nodeId, tunnelAddress, wireguardKey, wireguardPort } = node;
      if (own === network.nodeAddress || tunnelAddress === '') continue;
      if (wireguardKey.length === 0) unreachable.set(nodeId, node);
      else {
        const address = tunnelAddress.includes('/') ? bareAddress(tunnelAddress) : tunnelAddress;
        peers.set(nodeId, {
          nodeId,
          publicKey: wireguardKey,
          tunnelAddress: address,
          port: wireguardPort,
        });
      }
    }
  }
  return { peers: [...peers.values()], unreachable: [...unreachable.values()] };
}

/** What `wg syncconf` reads: only what differs from the interface's present state is changed. */
export function wireGuardConfig(
  privateKey: Uint8Array,
  listenPort: number,
  peers: readonly WireGuardPeer[],
): string {
  const lines = ['[Interface]', `PrivateKey = ${base64(privateKey)}`, `ListenPort = ${listenPort}`];
  for (const { publicKey, tunnelAddress, port } of peers) {
    lines.push('[Peer]', `PublicKey = ${base64(publicKey)}`);
    lines.push(`Endpoint = ${tunnelAddress}:${port}`, `AllowedIPs = ${tunnelAddress}/32`);
  }
  return `${lines.join('\n')}\n`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
