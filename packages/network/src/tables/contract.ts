/**
 * What stands in the overlay networks that this node takes part in, as everything that programs the
 * kernel or answers names reads it. Whoever fills the tables (a manager, or gossip) is no concern of
 * theirs.
 */

/** Of one of a network's subnets. */
export interface OverlaySubnet {
  /** `10.0.1.0/24` */
  subnet: string;
  /** Without prefix length. */
  gateway: string;
  /** VXLAN network identifier, 4096 … 2^24-1; 0 for a subnet without a tunnel of its own (IPv6). */
  vni: number;
}

/** An overlay network in which this node has an address. */
export interface OverlayNetwork {
  id: string;
  name: string;
  subnets: OverlaySubnet[];
  /** From the option `com.docker.network.driver.mtu`; 0: what the way there allows. */
  mtuBytes: number;
  encrypted: boolean;
  internal: boolean;
  ingress: boolean;
  /** This node's own, with prefix length. */
  nodeAddress: string;
}

/** A node that takes part in a network, this one among them. */
export interface NetworkNode {
  networkId: string;
  nodeId: string;
  /** Its own address there, with prefix length. */
  address: string;
  /** Where its VXLAN packets come from and go to; empty while it is not known. */
  tunnelAddress: string;
  /** Whether it is a Skep: a Docker Engine routes and balances in its own way. */
  ownAgent: boolean;
  /** Public key of its WireGuard end, 32 bytes; empty: it has none. */
  wireguardKey: Uint8Array;
  wireguardPort: number;
  /** It is not heard of any more. Its tasks stay in the tables: it may be back soon. */
  down: boolean;
}

/** A service that has tasks in a network. */
export interface NetworkService {
  networkId: string;
  serviceId: string;
  name: string;
  aliases: string[];
  /** Without prefix length; empty: names give the tasks' addresses. */
  virtualIp: string;
  /** A client stays with the task that it got first. */
  clientAffinity: boolean;
}

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

/** A port of a task that the routing mesh brings clients to. */
export interface EndpointPort {
  protocol: PortProtocol;
  /** In the container, 1 … 65535. */
  targetPort: number;
  /** On every node, 1 … 65535. */
  publishedPort: number;
}

/** A task (or an attached container) in a network. */
export interface NetworkEndpoint {
  networkId: string;
  /** The task's id. */
  id: string;
  nodeId: string;
  /** With prefix length, IPv4 first. */
  addresses: string[];
  /** Empty for an attached container. */
  serviceId: string;
  /** As the container is called: `web.1.<task id>`. */
  name: string;
  /** Further names of this one container. */
  aliases: string[];
  /** 0 for a task of a global service, and for attached containers. */
  slot: number;
  /** Takes part in balancing and names. One that does not can be reached by its address all the same. */
  ready: boolean;
  /** In the ingress network only. */
  ports: EndpointPort[];
}

/** One entry that changed: new without `before`, gone without `after`. */
export type TableChange =
  | { table: 'network'; before?: OverlayNetwork; after?: OverlayNetwork }
  | { table: 'node'; before?: NetworkNode; after?: NetworkNode }
  | { table: 'service'; before?: NetworkService; after?: NetworkService }
  | { table: 'endpoint'; before?: NetworkEndpoint; after?: NetworkEndpoint };

/** What a source says, in full or since it last spoke. */
export interface TableUpdate {
  /** Index of the last entry of the swarm's log that it comes from. */
  version: bigint;
  /** All there is, in place of what was known. */
  complete: boolean;
  networks: OverlayNetwork[];
  nodes: NetworkNode[];
  services: NetworkService[];
  endpoints: NetworkEndpoint[];
  gone: {
    table: TableChange['table'];
    networkId: string;
    /** Empty for a network, with which all of it goes. */
    id: string;
  }[];
}

/** The tables, to be read. All lists are in the order of the ids. */
export interface TablesView {
  readonly version: bigint;
  network(networkId: string): OverlayNetwork | undefined;
  networks(): OverlayNetwork[];
  nodes(networkId: string): NetworkNode[];
  node(networkId: string, nodeId: string): NetworkNode | undefined;
  services(networkId: string): NetworkService[];
  service(networkId: string, serviceId: string): NetworkService | undefined;
  endpoints(networkId: string): NetworkEndpoint[];
  endpoint(networkId: string, id: string): NetworkEndpoint | undefined;
  /** Of one service, ready or not. */
  endpointsOfService(networkId: string, serviceId: string): NetworkEndpoint[];
}

/** Whoever makes the kernel, or an answer, be as the tables say. */
export interface TablesReader {
  /** For messages. */
  readonly name: string;
  /**
   * Resolves when what it keeps is as the tables were after these changes. Called with one batch at a
   * time; what changes meanwhile comes in the next. Also called after each complete update, be it
   * without a change: what an earlier run of this process left can then be judged. Must not reject
   * for what the kernel refuses: it says so in its log, and puts it right at its next comparison.
   */
  apply(changes: readonly TableChange[], view: TablesView): Promise<void>;
}
