import { formatSubnet, subnetOf } from '../address/ipv4.js';
import type { LinkView, NamespacePath, NamespaceView } from '../kernel/contract.js';
import { overlayBridge, overlayTunnel } from '../names.js';
import { bareAddress, macOfAddress } from '../sandbox/plan.js';
import type { OverlayPlace, OverlaySegment } from './contract.js';
import type { OverlayPlan } from './plan.js';
import { segmentsOf } from './segments.js';

/** What {@link planOverlay} makes. */
export function placeOf({ namespace, network, mtuBytes }: OverlayPlan): OverlayPlace {
  const segments = segmentsOf(network).map(
    ({ subnet, gateway, bridge, tunnel }): OverlaySegment => ({ subnet, gateway, bridge, tunnel }),
  );
  return { namespace, nodeAddress: network.nodeAddress, mtuBytes, segments };
}

/**
 * The same as it stands: what this process knows of a network before it is told anything. Tunnels may
 * be missing; undefined when there is not even a bridge with this node's address.
 */
export function placeIn(namespace: NamespacePath, view: NamespaceView): OverlayPlace | undefined {
  const bridges = view.links.filter(({ kind }) => kind === 'bridge');
  const parts = bridges.flatMap((_, place) => {
    const bridge = bridges.find(({ name }) => name === overlayBridge(place));
    return bridge ? (segmentIn(view, bridge, overlayTunnel(place)) ?? []) : [];
  });
  const own = parts.find(({ nodeAddress }) => nodeAddress !== '');
  if (!own) return undefined;
  const segments = parts.map(({ segment }) => segment);
  return { namespace, nodeAddress: own.nodeAddress, mtuBytes: own.mtuBytes, segments };
}

function segmentIn(view: NamespaceView, bridge: LinkView, tunnel: string) {
  const addresses = view.addresses
    .filter(({ link }) => link === bridge.name)
    .map(({ address }) => address);
  const gateway = addresses.at(-1);
  if (!gateway) return undefined;
  // The bridge of a subnet in which the node has no address of its own has the gateway's MAC.
  const nodeAddress = addresses.find((address) => macOfAddress(address) === bridge.mac);
  return {
    nodeAddress: nodeAddress === gateway ? '' : (nodeAddress ?? ''),
    mtuBytes: bridge.mtuBytes,
    segment: {
      subnet: formatSubnet(subnetOf(gateway)),
      gateway: bareAddress(gateway),
      bridge: bridge.name,
      tunnel,
    },
  };
}
