import type { NodeObject } from '@skep/wire';
import type { IngressAttachment } from '../publisher.js';
import { ipv4Address } from '../request/networks.js';

/** Networks in which the node object has an address for this node. */
export function attachedNetworkIds(node: NodeObject): string[] {
  return node.attachments.flatMap(({ addresses, network }) =>
    network && ipv4Address(addresses) ? [network.id] : [],
  );
}

/** The node's attachment to the ingress network, if it has one. */
export function ingressAttachment(node: NodeObject): IngressAttachment | undefined {
  for (const { addresses, network } of node.attachments) {
    const nodeAddress = ipv4Address(addresses);
    if (!network?.spec?.ingress || !nodeAddress) continue;
    const ipam = network.ipam?.configs.find((config) => config.subnet.includes('.'));
    return {
      networkId: network.id,
      networkName: network.spec.annotations?.name ?? '',
      subnet: ipam?.subnet ?? '',
      gateway: ipam?.gateway ?? '',
      nodeAddress,
    };
  }
  return undefined;
}
