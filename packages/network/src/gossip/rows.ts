import type {
  NetworkEndpoint,
  NetworkNode,
  NetworkService,
  OverlayNetwork,
} from '../tables/contract.js';
import type { Gossiped, GossipedEndpoint, GossipedPeer, GossipView } from './contract.js';

/** Rows of the tables, of one network or of several. */
export interface Rows {
  nodes: NetworkNode[];
  services: NetworkService[];
  endpoints: NetworkEndpoint[];
}

/**
 * What other nodes say of a network, as rows. A node is called by its name in the gossip: that is the only
 * one it has there. Its own address is that of a peer which is no endpoint; nothing says so more exactly.
 */
export function rowsOfGossip({ id: networkId }: OverlayNetwork, gossip: GossipView): Rows {
  const records = new Map(gossip.endpoints(networkId).map((record) => [record.key, record]));
  const peers = gossip
    .peers(networkId)
    .filter(({ address }) => !address.includes(':'))
    .sort((one, other) => (one.key < other.key ? -1 : 1));
  const nodes = nodesOf(networkId, peers, records);
  const endpoints = peers
    .filter((peer) => nodes.get(peer.owner)?.peer !== peer || records.has(peer.key))
    .map((peer) => endpointOf(networkId, peer, records.get(peer.key)));
  const services = new Map<string, NetworkService>();
  for (const record of records.values()) {
    if (record.serviceId !== '') services.set(record.serviceId, serviceOf(networkId, record));
  }
  return {
    nodes: [...nodes.values()].map(({ node }) => node),
    services: [...services.values()],
    endpoints,
  };
}

type Peer = Gossiped<GossipedPeer>;
type Endpoint = Gossiped<GossipedEndpoint>;

function nodesOf(
  networkId: string,
  peers: readonly Peer[],
  records: ReadonlyMap<string, Endpoint>,
): Map<string, { node: NetworkNode; peer: Peer }> {
  const nodes = new Map<string, { node: NetworkNode; peer: Peer }>();
  const byLikelihood = [
    ...peers.filter(({ key }) => !records.has(key)),
    ...peers.filter(({ key }) => records.has(key)),
  ];
  for (const peer of byLikelihood) {
    const { owner: nodeId, address, tunnelAddress } = peer;
    if (nodes.has(nodeId)) continue;
    const head = { networkId, nodeId, address, tunnelAddress, ownAgent: false };
    const node = { ...head, wireguardKey: new Uint8Array(), wireguardPort: 0, down: false };
    nodes.set(nodeId, { node, peer });
  }
  return nodes;
}

function endpointOf(
  networkId: string,
  { key: id, owner: nodeId, address }: Peer,
  record: Endpoint | undefined,
): NetworkEndpoint {
  const { name = '', aliases = [], serviceId = '', serviceName = '', ports = [] } = record ?? {};
  const ready = record !== undefined && !record.isDisabled;
  const slot = slotOf(name, serviceName);
  const head = { networkId, id, nodeId, addresses: [address], serviceId, name, aliases };
  return { ...head, slot, ready, ports };
}

/** Tasks are called `web.1.<task id>`, those of global services `web.<node id>.<task id>`. */
function slotOf(name: string, serviceName: string): number {
  const slot = name.startsWith(`${serviceName}.`)
    ? /^(\d{1,9})\.[^.]+$/.exec(name.slice(serviceName.length + 1))
    : null;
  return Number(slot?.[1] ?? 0);
}

function serviceOf(networkId: string, record: Endpoint): NetworkService {
  const { serviceId, serviceName: name, serviceAliases: aliases, virtualIp } = record;
  return { networkId, serviceId, name, aliases, virtualIp, clientAffinity: false };
}
