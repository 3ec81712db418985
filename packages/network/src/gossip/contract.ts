import type { Cancel } from '@skep/platform';
import type { EndpointPort } from '../tables/contract.js';

/**
 * Gossip, as this room asks for it: what nodes tell each other of endpoints, and behind which node an
 * address is. Docker Engines know nothing else.
 */

/** Addresses are without prefix length. */
export interface GossipedEndpoint {
  /** Of the container. */
  name: string;
  address: string;
  /** Empty, as all of its service, for a container that belongs to none. */
  serviceId: string;
  serviceName: string;
  /** Empty: it has none. */
  virtualIp: string;
  serviceAliases: string[];
  /** Further names of this one container. */
  aliases: string[];
  /** In the ingress network alone. */
  ports: EndpointPort[];
  /** Is out of balancing, and on its way out altogether. */
  isDisabled: boolean;
}

export interface GossipedPeer {
  /** With prefix length. */
  address: string;
  mac: string;
  /** Where its node takes VXLAN packets. */
  tunnelAddress: string;
}

/** A record and whose it is: `owner` names a node from one start to the next, and by no other id. */
export type Gossiped<T> = T & { key: string; owner: string };

/** What other nodes say. */
export interface GossipView {
  endpoints(networkId: string): Gossiped<GossipedEndpoint>[];
  peers(networkId: string): Gossiped<GossipedPeer>[];
  /** Returns how to end that. */
  onChange(listener: () => void): Cancel;
}

/** What this node says, of networks that it joined; `id` is a task's, a container's or a node's. */
export interface GossipWriter {
  joinNetwork(networkId: string): void;
  /** What this node said there is gone. */
  leaveNetwork(networkId: string): void;
  putEndpoint(networkId: string, id: string, endpoint: GossipedEndpoint): void;
  putPeer(networkId: string, id: string, peer: GossipedPeer): void;
  deleteEndpoint(networkId: string, id: string): void;
  deletePeer(networkId: string, id: string): void;
}
