import type { NftChange } from '../rules/nft.js';

/** Path of a named network namespace; empty for the daemon's own (the host's). */
export type NamespacePath = string;

export const HOST: NamespacePath = '';

export interface VethEnd {
  namespace: NamespacePath;
  link: string;
  /** `02:42:…`; the kernel picks one when absent. */
  mac?: string;
  /** Bridge in the same namespace to plug it into. */
  master?: string;
}

export interface LinkChange {
  up?: boolean;
  /** Bridge to plug into. */
  master?: string;
  /** A bridge port that cannot talk to other isolated ports. */
  isolated?: boolean;
  /** A bridge port that may send a frame back where it came from. */
  hairpin?: boolean;
  mac?: string;
  mtuBytes?: number;
  newName?: string;
}

/** Which tracked connections to forget. Absent members match everything. */
export interface ConntrackMatch {
  /** The address that answers: a container behind a destination NAT. */
  replySource?: string;
  /** The address that asked. */
  originSource?: string;
  protocol?: 'tcp' | 'udp' | 'sctp';
  /** The port that was asked for; needs `protocol`. */
  originPort?: number;
}

/** A route, as it is added or removed. */
export interface RouteSpec {
  namespace: NamespacePath;
  /** A subnet, or `default`. */
  destination: string;
  gateway?: string;
  link?: string;
  /** The main table when absent. */
  table?: number;
}

/** Where the frames of a VXLAN link travel. */
export interface VxlanSpec {
  /** VXLAN network identifier, 1 … 2^24-1. */
  vni: number;
  /** UDP port, on this end and on all others. */
  udpPort: number;
  /** Source address of its packets; empty: the route to the other end decides. */
  localAddress: string;
}

/** One direction of IPsec between two IPv4 addresses: ESP in transport mode, AES-GCM. */
export interface SecurityAssociation {
  source: string;
  destination: string;
  /** By which packets name it, a u32; one of a number stands for each destination. */
  spi: number;
  /** What policies ask for, a u32: of meaning on this node alone. */
  requestId: number;
  /** The AES key and 4 bytes of salt. Read back empty for another cipher, zero where it is not shown. */
  key: Uint8Array;
  /** Of the 2^32 numbers of packets, after which it seals no more. Only read back. */
  usedNumbers?: number;
}

/** UDP datagrams of a mark to a port of a host leave by an association, or not at all. */
export interface SecurityPolicy {
  source: string;
  destination: string;
  udpPort: number;
  /** A u32 other than 0. */
  mark: number;
  /** Of the association. */
  spi: number;
  requestId: number;
}

export interface SecurityView {
  associations: SecurityAssociation[];
  policies: SecurityPolicy[];
}

/**
 * One change to the kernel's networking. Addresses with a prefix length are written `10.0.0.5/24`.
 */
export type KernelCommand =
  | { op: 'namespace-add'; path: string }
  | { op: 'namespace-remove'; path: string }
  /** Both ends come up at once. */
  | { op: 'veth-add'; mtuBytes: number; near: VethEnd; far: VethEnd }
  | { op: 'bridge-add'; namespace: NamespacePath; link: string; mac?: string }
  /**
   * A VXLAN link that answers ARP from its neighbour entries and learns nothing by itself. Its packets
   * go in and out of the namespace `underlay`, wherever the link is; it comes up at once. Refused with
   * EEXIST where the underlay has one of the same identifier and port already.
   */
  | ({
      op: 'vxlan-add';
      namespace: NamespacePath;
      underlay: NamespacePath;
      link: string;
      /** Bridge in the same namespace to plug it into. */
      master: string;
      mtuBytes: number;
    } & VxlanSpec)
  /** Where a VXLAN link sends frames for a MAC; takes the place of what it knew of it. */
  | {
      op: 'fdb-add';
      namespace: NamespacePath;
      link: string;
      mac: string;
      /** Of the VXLAN link at the other end. */
      tunnelAddress: string;
    }
  | { op: 'fdb-remove'; namespace: NamespacePath; link: string; mac: string }
  /** A bridge sends frames for a MAC to this port of its own, whatever it has learned. */
  | { op: 'port-mac-add'; namespace: NamespacePath; link: string; mac: string }
  | { op: 'port-mac-remove'; namespace: NamespacePath; link: string; mac: string }
  /** A permanent entry; takes the place of what was known of the address. */
  | { op: 'neighbour-add'; namespace: NamespacePath; link: string; address: string; mac: string }
  | { op: 'neighbour-remove'; namespace: NamespacePath; link: string; address: string }
  | { op: 'link-remove'; namespace: NamespacePath; link: string }
  | { op: 'link-change'; namespace: NamespacePath; link: string; change: LinkChange }
  | { op: 'address-add'; namespace: NamespacePath; link: string; address: string }
  | { op: 'address-remove'; namespace: NamespacePath; link: string; address: string }
  | ({ op: 'route-add' } & RouteSpec)
  | ({ op: 'route-remove' } & RouteSpec)
  | ({ op: 'rule-add'; namespace: NamespacePath } & RoutingRule)
  | ({ op: 'rule-remove'; namespace: NamespacePath } & RoutingRule)
  /** `name` as in `net.ipv4.ip_forward`, a dot in a link's name written as `/`. */
  | {
      op: 'sysctl';
      namespace: NamespacePath;
      name: string;
      value: string;
      /** Kernels without it are fine. */
      optional?: boolean;
    }
  /** Refused with EEXIST where the destination has one of the same SPI. */
  | ({ op: 'xfrm-state-add'; namespace: NamespacePath } & SecurityAssociation)
  | {
      op: 'xfrm-state-remove';
      namespace: NamespacePath;
      source: string;
      destination: string;
      spi: number;
    }
  /** Also in place of another one for the same datagrams. */
  | ({ op: 'xfrm-policy-add'; namespace: NamespacePath } & SecurityPolicy)
  | ({ op: 'xfrm-policy-remove'; namespace: NamespacePath } & Omit<
      SecurityPolicy,
      'spi' | 'requestId'
    >)
  /** All changes in one transaction of the kernel. */
  | { op: 'nft'; namespace: NamespacePath; changes: NftChange[] }
  | { op: 'conntrack-remove'; namespace: NamespacePath; match: ConntrackMatch };

/** What it selects looks up `table`, before rules of a higher priority. */
export type RoutingRule = { table: number; priority: number } & (
  | { from: string }
  /** The packet's mark, a u32 other than 0. */
  | { mark: number }
);

export interface LinkView {
  name: string;
  index: number;
  /** `veth`, `bridge`, … or empty for a device without a kind. */
  kind: string;
  mac: string;
  mtuBytes: number;
  up: boolean;
  /** Name of the bridge it is plugged into, or empty. */
  master: string;
  /** Of a VXLAN link. */
  vxlan?: VxlanSpec;
  counters: LinkCounters;
}

export interface LinkCounters {
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

export interface RouteView {
  /** `10.0.0.0/24`, or `default`. */
  destination: string;
  gateway: string;
  link: string;
  table: number;
}

export interface NamespaceView {
  links: LinkView[];
  addresses: { link: string; address: string }[];
  routes: RouteView[];
  /** Those that select by source or mark. */
  rules: RoutingRule[];
}

/** Permanent entries of a namespace, which somebody put there. */
export interface TunnelEntries {
  neighbours: { link: string; address: string; mac: string }[];
  forwarding: { link: string; mac: string; tunnelAddress: string }[];
}

/** Of ours all are of the first, which is meant where none is named. */
export type TableFamily = 'ip' | 'inet';

/** A chain that hangs on a hook, of anybody's. */
export interface BaseChainView {
  family: string;
  table: string;
  chain: string;
  hook: string;
  policy: string;
}

export interface RunOptions {
  /**
   * `stop` (the rule): the first refusal ends the batch. `continue`: later commands are tried all
   * the same, and what is already gone counts as removed; for taking down.
   */
  onRefusal?: 'stop' | 'continue';
}

/** The kernel refused a command. `code` is the errno's name. */
export class KernelError extends Error {
  readonly code: string;
  /** Place in the batch of the command that failed; what stood before it is done. */
  readonly index: number;

  constructor(code: string, message: string, index: number) {
    super(message);
    this.name = 'KernelError';
    this.code = code;
    this.index = index;
  }
}

/**
 * The only way this room reaches the kernel's networking. A batch is one round trip; its commands
 * run in order, and batches run one after the other.
 */
export interface NetKernel {
  /** Rejects with {@link KernelError} at the first refusal (see {@link RunOptions}). */
  run(commands: readonly KernelCommand[], options?: RunOptions): Promise<void>;
  inspect(namespace: NamespacePath): Promise<NamespaceView>;
  /** What `neighbour-add` and `fdb-add` put into a namespace. */
  tunnelEntries(namespace: NamespacePath): Promise<TunnelEntries>;
  /** Paths of the named namespaces in a directory; empty when that is missing. */
  listNamespaces(directory: string): Promise<NamespacePath[]>;
  /**
   * Elements of a table's sets and maps, by set: key → value (empty for sets). Undefined: no such
   * table.
   */
  tableElements(
    namespace: NamespacePath,
    table: string,
  ): Promise<Map<string, Map<string, string>> | undefined>;
  /** Chain → number of its rules; undefined: there is no such table. Reads no elements. */
  ruleCounts(
    namespace: NamespacePath,
    table: string,
    family?: TableFamily,
  ): Promise<Map<string, number> | undefined>;
  baseChains(namespace: NamespacePath): Promise<BaseChainView[]>;
  /** Grows by one with each transaction of anybody's on a namespace's nftables; a u32. */
  rulesGeneration(namespace: NamespacePath): Promise<number>;
  /**
   * TCP connections that others have opened to a namespace's listening ports and that are not over
   * on both sides, without those from itself.
   */
  inboundConnections(namespace: NamespacePath): Promise<number>;
  /** TCP sockets of a namespace, those that listen among them: counted at no cost. */
  tcpSockets(namespace: NamespacePath): Promise<number>;
  /** TCP ports that are listened on where others can reach them: at any address but loopback's. */
  listeningPorts(namespace: NamespacePath): Promise<number[]>;
  /** Associations and policies of anybody's, those of the kinds that can be added here. */
  security(namespace: NamespacePath): Promise<SecurityView>;
  readSysctl(namespace: NamespacePath, name: string): Promise<string | undefined>;
  close(): Promise<void>;
}
