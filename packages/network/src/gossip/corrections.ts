import { isDeepStrictEqual } from 'node:util';
import { bareAddress } from '../sandbox/plan.js';
import type { NetworkEndpoint, NetworkNode, TablesView, TableUpdate } from '../tables/contract.js';
import type { GossipView } from './contract.js';

export interface GossipCorrectionsOptions {
  gossip: GossipView;
  tables: TablesView;
}

/**
 * What managers do not know of Docker Engines and these say themselves: where they take VXLAN packets (a manager
 * only knows where their calls come from, another address where the data path has one of its own), and
 * what containers are called that somebody attached there.
 */
export class GossipCorrections {
  readonly #gossip: GossipView;
  readonly #tables: TablesView;

  constructor({ gossip, tables }: GossipCorrectionsOptions) {
    this.#gossip = gossip;
    this.#tables = tables;
  }

  /** What a manager says, put right. */
  amend(update: TableUpdate): TableUpdate {
    const said = new SaidByNetwork(this.#gossip);
    const isEngine = this.#engines(update.nodes);
    return {
      ...update,
      nodes: update.nodes.map((node) => amendedNode(node, said)),
      endpoints: update.endpoints.map((endpoint) =>
        isEngine(endpoint) ? amendedEndpoint(endpoint, said) : endpoint,
      ),
    };
  }

  /** What is to be put right of what stands in the tables, after the gossip has changed. */
  corrections(): TableUpdate {
    const said = new SaidByNetwork(this.#gossip);
    const isEngine = this.#engines([]);
    const inEach = this.#tables.networks().map(({ id }) => {
      const engines = this.#tables.nodes(id).filter(({ ownAgent }) => !ownAgent);
      const endpoints = engines.length > 0 ? this.#tables.endpoints(id).filter(isEngine) : [];
      return {
        nodes: changed(engines, (node) => amendedNode(node, said)),
        endpoints: changed(endpoints, (endpoint) => amendedEndpoint(endpoint, said)),
      };
    });
    return {
      ...{ version: this.#tables.version, complete: false, networks: [], services: [], gone: [] },
      nodes: inEach.flatMap(({ nodes }) => nodes),
      endpoints: inEach.flatMap(({ endpoints }) => endpoints),
    };
  }

  /** Whether an endpoint is on a Docker Engine, as the tables have it, or `news` of them. */
  #engines(news: readonly NetworkNode[]): (endpoint: NetworkEndpoint) => boolean {
    const keyOf = (networkId: string, nodeId: string) => `${networkId} ${nodeId}`;
    const byKey = new Map(news.map((node) => [keyOf(node.networkId, node.nodeId), node]));
    return ({ networkId, nodeId }) => {
      const node = byKey.get(keyOf(networkId, nodeId)) ?? this.#tables.node(networkId, nodeId);
      return node !== undefined && !node.ownAgent;
    };
  }
}

/** What others say, by address without prefix length; read of a network when it is asked about first. */
class SaidByNetwork {
  readonly #gossip: GossipView;
  readonly #tunnels = new Map<string, ReadonlyMap<string, string>>();
  readonly #names = new Map<
    string,
    ReadonlyMap<string, Pick<NetworkEndpoint, 'name' | 'aliases'>>
  >();

  constructor(gossip: GossipView) {
    this.#gossip = gossip;
  }

  tunnelOf({ networkId, address }: NetworkNode): string | undefined {
    let known = this.#tunnels.get(networkId);
    if (!known) {
      const peers = this.#gossip.peers(networkId);
      known = new Map(peers.map(({ address, tunnelAddress }) => [address, tunnelAddress]));
      this.#tunnels.set(networkId, known);
    }
    return known.get(address);
  }

  namesOf({ networkId, addresses }: NetworkEndpoint) {
    let known = this.#names.get(networkId);
    if (!known) {
      const records = this.#gossip.endpoints(networkId);
      known = new Map(records.map(({ address, name, aliases }) => [address, { name, aliases }]));
      this.#names.set(networkId, known);
    }
    return known.get(bareAddress(addresses[0] ?? ''));
  }
}

/** Our own nodes' addresses come from the manager, which has them from the nodes. */
function amendedNode(node: NetworkNode, said: SaidByNetwork): NetworkNode {
  if (node.ownAgent) return node;
  const tunnelAddress = said.tunnelOf(node);
  if (!tunnelAddress || tunnelAddress === node.tunnelAddress) return node;
  return { ...node, tunnelAddress };
}

/** Tasks of services are called as the manager knows. */
function amendedEndpoint(endpoint: NetworkEndpoint, said: SaidByNetwork): NetworkEndpoint {
  if (endpoint.serviceId !== '') return endpoint;
  const names = said.namesOf(endpoint);
  if (!names || isDeepStrictEqual(names, { name: endpoint.name, aliases: endpoint.aliases })) {
    return endpoint;
  }
  return { ...endpoint, ...names };
}

function changed<T>(rows: readonly T[], amend: (row: T) => T): T[] {
  return rows
    .map((row) => ({ row, now: amend(row) }))
    .flatMap(({ row, now }) => (row === now ? [] : [now]));
}
