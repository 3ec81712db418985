import type { NetworkNode, TablesView, TableUpdate } from '../tables/contract.js';
import type { GossipView } from './contract.js';

/**
 * Where Docker Engines take VXLAN packets is what they say themselves: a manager only knows where their
 * calls come from, which is another address where the data path has one of its own.
 */
export class GossipedTunnels {
  readonly #gossip: GossipView;

  constructor(gossip: GossipView) {
    this.#gossip = gossip;
  }

  /** What a manager says, put right. */
  amend(update: TableUpdate): TableUpdate {
    const tunnels = new Map<string, ReadonlyMap<string, string>>();
    const nodes = update.nodes.map((node) => {
      const { networkId } = node;
      const known = tunnels.get(networkId) ?? this.#tunnelsIn(networkId);
      tunnels.set(networkId, known);
      return amended(node, known);
    });
    return { ...update, nodes };
  }

  /** What is to be put right of what stands in the tables, after the gossip has changed. */
  corrections(view: TablesView): TableUpdate {
    const nodes = view.networks().flatMap(({ id }) => {
      const engines = view.nodes(id).filter(({ ownAgent }) => !ownAgent);
      if (engines.length === 0) return [];
      const known = this.#tunnelsIn(id);
      return engines.flatMap((node) => {
        const now = amended(node, known);
        return now === node ? [] : [now];
      });
    });
    const nothing = { networks: [], services: [], endpoints: [], gone: [] };
    return { version: view.version, complete: false, nodes, ...nothing };
  }

  #tunnelsIn(networkId: string): ReadonlyMap<string, string> {
    const peers = this.#gossip.peers(networkId);
    return new Map(peers.map(({ address, tunnelAddress }) => [address, tunnelAddress]));
  }
}

/** Our own nodes' addresses come from the manager, which has them from the nodes. */
function amended(node: NetworkNode, known: ReadonlyMap<string, string>): NetworkNode {
  const tunnelAddress = known.get(node.address);
  if (node.ownAgent || !tunnelAddress || tunnelAddress === node.tunnelAddress) return node;
  return { ...node, tunnelAddress };
}
