import { containerOn, type NetworkContainer } from '../local/local-networks.js';
import type { SandboxRegistry } from '../sandbox/registry.js';
import type { TablesView } from '../tables/contract.js';
import type { Overlay } from './overlay.js';

/** An overlay network as this node takes part in it, for `docker network ls` and `inspect`. */
export interface OverlaySummary {
  id: string;
  name: string;
  subnets: { subnet: string; gateway: string }[];
  internal: boolean;
  ingress: boolean;
  encrypted: boolean;
  /** Of the interfaces of its containers; 0 while it does not stand. */
  mtuBytes: number;
  /** This node's own, with prefix length. */
  nodeAddress: string;
  /** Containers of this node on it, by id. */
  containers: Record<string, NetworkContainer>;
  /** Nodes that take part, this one among them. */
  peers: { nodeId: string; tunnelAddress: string }[];
  /** In how many things the kernel was otherwise than it should, when it was last compared. */
  divergence: number;
  /** Why it does not stand, or is not as it should be. */
  failure: string | undefined;
}

export function summarize(
  overlay: Overlay,
  tables: TablesView,
  registry: SandboxRegistry,
): OverlaySummary {
  const { network, place, divergence, failure } = overlay;
  const { id, name, internal, ingress, encrypted, nodeAddress } = network;
  const containers = registry.all().flatMap((sandbox) => {
    const row = containerOn(sandbox, name);
    return row ? [[sandbox.request.containerId, row] as const] : [];
  });
  return {
    id,
    name,
    subnets: network.subnets.map(({ subnet, gateway }) => ({ subnet, gateway })),
    internal,
    ingress,
    encrypted,
    mtuBytes: place?.mtuBytes ?? 0,
    nodeAddress,
    containers: Object.fromEntries(containers),
    peers: tables.nodes(id).map(({ nodeId, tunnelAddress }) => ({ nodeId, tunnelAddress })),
    divergence,
    failure: failure?.message,
  };
}
