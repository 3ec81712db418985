import type { OverlayNetwork } from '@skep/network';
import { type NodeObject, overlaySettings } from '@skep/wire';
import type { NetworkAttachment } from '@skep/wire/swarmkit';
import { ipv4Address } from '../request/networks.js';

/** What the swarm says of a node's part in its networks. */
export interface NodeNetworking {
  /** UDP port of VXLAN on all nodes; 0: the default. */
  vxlanPort: number;
  /** Networks in which this node has an address. */
  attachments: OverlayNetwork[];
}

/** What the executor asks of whoever makes the swarm's networks on this node. */
export interface NodeNetworks {
  /** Called each time the node's object changes. */
  configure(networking: NodeNetworking): Promise<void>;
  /** Resolves when containers can be put on the network; rejects with the reason when they cannot. */
  whenReady(networkId: string, signal: AbortSignal): Promise<unknown>;
}

export function nodeNetworking(node: NodeObject): NodeNetworking {
  const attachments = node.attachments.flatMap((attachment) => overlayNetwork(attachment) ?? []);
  return { vxlanPort: node.VXLANUDPPort, attachments };
}

function overlayNetwork({ network, addresses }: NetworkAttachment): OverlayNetwork | undefined {
  const nodeAddress = ipv4Address(addresses);
  if (!network || !nodeAddress || network.driverState?.name !== 'overlay') return undefined;
  return {
    id: network.id,
    name: network.spec?.annotations?.name ?? '',
    ...overlaySettings(network),
    internal: network.spec?.internal ?? false,
    ingress: network.spec?.ingress ?? false,
    nodeAddress,
  };
}
