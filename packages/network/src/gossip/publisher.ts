import { isDeepStrictEqual } from 'node:util';
import { bareAddress, macOfAddress } from '../sandbox/plan.js';
import type { NetworkEndpoint, TableChange, TablesReader, TablesView } from '../tables/contract.js';
import type { GossipedEndpoint, GossipedPeer, GossipWriter } from './contract.js';

/** What was said of one endpoint, or of this node. */
interface Said {
  peer: GossipedPeer;
  /** Only once it has been ready. */
  endpoint: GossipedEndpoint | undefined;
}

export interface GossipPublisherOptions {
  gossip: GossipWriter;
  /** Of this node; empty while it is in no swarm. */
  nodeId: () => string;
}

/**
 * Tells Docker Engines what this node has in its networks: as soon as an address can be reached, behind
 * which node it is; from when a container is ready, that it is; and before it goes, that it is not any more.
 */
export class GossipPublisher implements TablesReader {
  readonly name = 'gossip';
  readonly #gossip: GossipWriter;
  readonly #nodeId: () => string;
  /** By network id, by the id of what it is about. */
  readonly #said = new Map<string, Map<string, Said>>();

  constructor({ gossip, nodeId }: GossipPublisherOptions) {
    this.#gossip = gossip;
    this.#nodeId = nodeId;
  }

  async apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    const networkIds = new Set(changes.map(networkOf));
    for (const networkId of networkIds) this.#compare(networkId, view);
  }

  #compare(networkId: string, view: TablesView): void {
    if (!view.network(networkId)) {
      if (this.#said.delete(networkId)) this.#gossip.leaveNetwork(networkId);
      return;
    }
    let said = this.#said.get(networkId);
    if (!said) {
      this.#gossip.joinNetwork(networkId);
      said = new Map();
      this.#said.set(networkId, said);
    }
    const wanted = this.#wanted(networkId, view, said);
    for (const [id, former] of said) if (!wanted.has(id)) this.#retract(networkId, id, former);
    for (const [id, now] of wanted) this.#say(networkId, id, said.get(id), now);
    this.#said.set(networkId, wanted);
  }

  #wanted(networkId: string, view: TablesView, said: ReadonlyMap<string, Said>): Map<string, Said> {
    const wanted = new Map<string, Said>();
    const nodeId = this.#nodeId();
    const node = view.node(networkId, nodeId);
    if (!node?.tunnelAddress) return wanted;
    const { tunnelAddress } = node;
    const peerAt = (address: string) => ({ address, mac: macOfAddress(address), tunnelAddress });
    if (isIpv4(node.address)) {
      wanted.set(nodeId, { peer: peerAt(node.address), endpoint: undefined });
    }
    for (const endpoint of view.endpoints(networkId)) {
      const address = endpoint.addresses.find(isIpv4);
      if (endpoint.nodeId !== nodeId || !address) continue;
      const record = recordOf(endpoint, address, view);
      const isSaid = endpoint.ready || said.get(endpoint.id)?.endpoint;
      const { id } = endpoint;
      wanted.set(id, { peer: peerAt(address), endpoint: isSaid ? record : undefined });
    }
    return wanted;
  }

  /** Where an address is, before what is there. */
  #say(networkId: string, id: string, former: Said | undefined, { peer, endpoint }: Said): void {
    if (!isDeepStrictEqual(former?.peer, peer)) this.#gossip.putPeer(networkId, id, peer);
    if (endpoint && !isDeepStrictEqual(former?.endpoint, endpoint)) {
      this.#gossip.putEndpoint(networkId, id, endpoint);
    }
  }

  #retract(networkId: string, id: string, { endpoint }: Said): void {
    if (endpoint) this.#gossip.deleteEndpoint(networkId, id);
    this.#gossip.deletePeer(networkId, id);
  }
}

function networkOf({ table, before, after }: TableChange): string {
  const row = after ?? before;
  if (!row) return '';
  return table === 'network' ? (row as { id: string }).id : (row as NetworkEndpoint).networkId;
}

function isIpv4(address: string): boolean {
  return address !== '' && !address.includes(':');
}

function recordOf(endpoint: NetworkEndpoint, address: string, view: TablesView): GossipedEndpoint {
  const { networkId, serviceId, name, aliases, ready } = endpoint;
  const service = view.service(networkId, serviceId);
  return {
    ...{ name, aliases, serviceId, address: bareAddress(address) },
    serviceName: service?.name ?? '',
    virtualIp: service?.virtualIp ?? '',
    serviceAliases: service?.aliases ?? [],
    ports: view.network(networkId)?.ingress ? endpoint.ports : [],
    isDisabled: !ready,
  };
}
