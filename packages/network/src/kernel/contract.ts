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

/**
 * One change to the kernel's networking. Addresses with a prefix length are written `10.0.0.5/24`.
 */
export type KernelCommand =
  | { op: 'namespace-add'; path: string }
  | { op: 'namespace-remove'; path: string }
  /** Both ends come up at once. */
  | { op: 'veth-add'; mtuBytes: number; near: VethEnd; far: VethEnd }
  | { op: 'bridge-add'; namespace: NamespacePath; link: string; mac?: string }
  | { op: 'link-remove'; namespace: NamespacePath; link: string }
  | { op: 'link-change'; namespace: NamespacePath; link: string; change: LinkChange }
  | { op: 'address-add'; namespace: NamespacePath; link: string; address: string }
  | { op: 'address-remove'; namespace: NamespacePath; link: string; address: string }
  | {
      op: 'route-add';
      namespace: NamespacePath;
      /** A subnet, or `default`. */
      destination: string;
      gateway?: string;
      link?: string;
      table?: number;
    }
  | { op: 'rule-add'; namespace: NamespacePath; from: string; table: number; priority: number }
  /** `name` as in `net.ipv4.ip_forward`, a dot in a link's name written as `/`. */
  | {
      op: 'sysctl';
      namespace: NamespacePath;
      name: string;
      value: string;
      /** Kernels without it are fine. */
      optional?: boolean;
    }
  /** All changes in one transaction of the kernel. */
  | { op: 'nft'; namespace: NamespacePath; changes: NftChange[] }
  | { op: 'conntrack-remove'; namespace: NamespacePath; match: ConntrackMatch };

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
}

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
  baseChains(namespace: NamespacePath): Promise<BaseChainView[]>;
  readSysctl(namespace: NamespacePath, name: string): Promise<string | undefined>;
  close(): Promise<void>;
}
