import type { OverlayNetwork } from '@skep/network';
import type { NodeObject } from '@skep/wire';
import type { Network, NetworkAttachment } from '@skep/wire/swarmkit';
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

const VNI_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';
const MTU_OPTION = 'com.docker.network.driver.mtu';
const ENCRYPTED_OPTION = 'encrypted';

export function nodeNetworking(node: NodeObject): NodeNetworking {
  const attachments = node.attachments.flatMap((attachment) => overlayNetwork(attachment) ?? []);
  return { vxlanPort: node.VXLANUDPPort, attachments };
}

function overlayNetwork({ network, addresses }: NetworkAttachment): OverlayNetwork | undefined {
  const nodeAddress = ipv4Address(addresses);
  if (!network || !nodeAddress || network.driverState?.name !== 'overlay') return undefined;
  const { options } = network.driverState;
  return {
    id: network.id,
    name: network.spec?.annotations?.name ?? '',
    subnets: overlaySubnets(network, options[VNI_OPTION] ?? ''),
    mtuBytes: Number(options[MTU_OPTION]) || 0,
    encrypted: ENCRYPTED_OPTION in options,
    internal: network.spec?.internal ?? false,
    ingress: network.spec?.ingress ?? false,
    nodeAddress,
  };
}

/** Identifiers are listed for the IPv4 subnets, in their order. */
function overlaySubnets({ ipam }: Network, vniList: string): OverlayNetwork['subnets'] {
  const vnis = vniList.split(',').map(Number);
  let place = 0;
  return (ipam?.configs ?? []).map(({ subnet, gateway }) => {
    const vni = subnet.includes(':') ? 0 : vnis[place++] || 0;
    return { subnet, gateway: gateway.replace(/\/.*/, ''), vni };
  });
}
