import { isDeepStrictEqual } from 'node:util';
import { invariant } from '@skep/platform';
import { bareAddress, macOfAddress } from '../sandbox/plan.js';
import type {
  NetworkEndpoint,
  NetworkNode,
  NetworkService,
  TableChange,
  TablesReader,
  TablesView,
} from '../tables/contract.js';
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
  /** Whether our own nodes hear of networks from their managers, so that gossip is for Docker Engines alone. */
  managersTell: () => boolean;
}

/**
 * Tells Docker Engines what this node has in its networks: as soon as an address can be reached, behind
 * which node it is; from when a container is ready, that it is; and before it goes, that it is not any more.
 * Of a network that no Docker Engine has been in nothing is said, unless our own nodes have nothing but gossip.
 */
export class GossipPublisher implements TablesReader {
  readonly name = 'gossip';
  readonly #gossip: GossipWriter;
  readonly #nodeId: () => string;
  readonly #managersTell: () => boolean;
  /** By id of the networks that something is said of, by the id of what it is about. */
  readonly #said = new Map<string, Map<string, Said>>();

  constructor({ gossip, nodeId, managersTell }: GossipPublisherOptions) {
    this.#gossip = gossip;
    this.#nodeId = nodeId;
    this.#managersTell = managersTell;
  }

  async apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    for (const change of changes) {
      if (change.table === 'network') this.#network(rowOf(change).id, view);
      else if (change.table === 'node') this.#node(rowOf(change), view);
      else if (change.table === 'endpoint') this.#endpoint(rowOf(change), view);
      else this.#service(rowOf(change), view);
    }
  }

  /** What this node is called is known only now, while its networks may have been there before. */
  identified(view: TablesView): void {
    for (const networkId of this.#said.keys()) this.#all(networkId, view);
  }

  /** Whether managers tell has changed. */
  reconsider(view: TablesView): void {
    for (const { id } of view.networks()) this.#network(id, view);
  }

  #network(networkId: string, view: TablesView): void {
    const isSaid = this.#said.has(networkId);
    const isIn = view.network(networkId) !== undefined;
    // To go on with one that nobody listens to any more costs less than to leave and enter it time and again.
    const isToBeSaid = isIn && (isSaid || this.#hasListeners(networkId, view));
    if (isToBeSaid === isSaid) return;
    if (isToBeSaid) {
      this.#said.set(networkId, new Map());
      this.#gossip.joinNetwork(networkId);
      this.#all(networkId, view);
    } else {
      this.#said.delete(networkId);
      this.#gossip.leaveNetwork(networkId);
    }
  }

  #hasListeners(networkId: string, view: TablesView): boolean {
    return !this.#managersTell() || view.nodes(networkId).some(({ ownAgent }) => !ownAgent);
  }

  /** All it has there depends on where this node takes packets. A Docker Engine may be the first to listen. */
  #node({ networkId, nodeId, ownAgent }: NetworkNode, view: TablesView): void {
    if (!ownAgent) this.#network(networkId, view);
    if (nodeId === this.#nodeId()) this.#all(networkId, view);
  }

  #service({ networkId, serviceId }: NetworkService, view: TablesView): void {
    for (const endpoint of view.endpointsOfService(networkId, serviceId)) {
      this.#endpoint(endpoint, view);
    }
  }

  #all(networkId: string, view: TablesView): void {
    const nodeId = this.#nodeId();
    const address = view.node(networkId, nodeId)?.address;
    const peer = address && this.#peer(networkId, address, view);
    this.#say(networkId, nodeId, peer ? { peer, endpoint: undefined } : undefined);
    for (const endpoint of view.endpoints(networkId)) this.#endpoint(endpoint, view);
  }

  #endpoint({ networkId, id }: NetworkEndpoint, view: TablesView): void {
    const endpoint = view.endpoint(networkId, id);
    const address = endpoint?.addresses.find(isIpv4);
    const isOwn = endpoint?.nodeId === this.#nodeId();
    const peer = isOwn && address ? this.#peer(networkId, address, view) : undefined;
    if (!endpoint || !address || !peer) {
      this.#say(networkId, id, undefined);
      return;
    }
    const isSaid = endpoint.ready || this.#said.get(networkId)?.get(id)?.endpoint;
    const record = isSaid ? recordOf(endpoint, address, view) : undefined;
    this.#say(networkId, id, { peer, endpoint: record });
  }

  #peer(networkId: string, address: string, view: TablesView): GossipedPeer | undefined {
    const tunnelAddress = view.node(networkId, this.#nodeId())?.tunnelAddress;
    if (!tunnelAddress || !isIpv4(address)) return undefined;
    return { address, mac: macOfAddress(address), tunnelAddress };
  }

  /** Where an address is, before what is there; and the other way round when it goes. */
  #say(networkId: string, id: string, now: Said | undefined): void {
    const said = this.#said.get(networkId);
    const former = said?.get(id);
    if (!said || (!former && !now)) return;
    if (!now) {
      said.delete(id);
      if (former?.endpoint) this.#gossip.deleteEndpoint(networkId, id);
      this.#gossip.deletePeer(networkId, id);
      return;
    }
    const { peer, endpoint } = now;
    said.set(id, now);
    if (!isDeepStrictEqual(former?.peer, peer)) this.#gossip.putPeer(networkId, id, peer);
    if (endpoint && !isDeepStrictEqual(former?.endpoint, endpoint)) {
      this.#gossip.putEndpoint(networkId, id, endpoint);
    }
  }
}

function rowOf<T>({ before, after }: { before?: T; after?: T }): T {
  const row = after ?? before;
  invariant(row, 'a change has a row');
  return row;
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
