import type { NamespacePath } from '../kernel/contract.js';
import type { OverlayNetwork } from '../tables/contract.js';

/** One subnet of an overlay network on this node. */
export interface OverlaySegment {
  /** `10.0.1.0/24` */
  subnet: string;
  /** Without prefix length; it is the bridge's on every node. */
  gateway: string;
  /** Links in the network's namespace. */
  bridge: string;
  tunnel: string;
}

/** An overlay network as it stands in this node's kernel. */
export interface OverlayPlace {
  namespace: NamespacePath;
  /** This node's own address there, with prefix length: on the bridge whose MAC is made from it. */
  nodeAddress: string;
  /** Of the interfaces of its containers. */
  mtuBytes: number;
  segments: OverlaySegment[];
}

/** Whoever has something of its own in the namespaces of overlay networks. */
export interface OverlayListener {
  /** The namespace has been made, or made anew: nothing of the listener's may be in it. */
  made(network: OverlayNetwork, place: OverlayPlace): Promise<void>;
  /** The namespace is about to be removed. */
  removing(networkId: string): Promise<void>;
}

/** What keeps the packets of encrypted networks secret between nodes. */
export interface EncryptedCarrier {
  /** What it adds to each of them. */
  readonly overheadBytes: number;
  /**
   * Resolves when no packet of the network can leave this node in the clear, or come in so. Rejects with
   * the reason when this node cannot do that.
   */
  prepare(network: OverlayNetwork): Promise<void>;
}

/** The overlay networks of this node, for those that put something into them. */
export interface OverlayPlaces {
  /** Undefined: it does not stand. Also known right after a restart, from the kernel. */
  place(networkId: string): OverlayPlace | undefined;
  /**
   * Resolves when the network stands. Rejects with the reason when it cannot be made, and with the
   * signal's when that is aborted before the network is known.
   */
  whenReady(networkId: string, signal: AbortSignal): Promise<OverlayPlace>;
  /** Waits for `made` and `removing`; failures are logged. */
  addListener(listener: OverlayListener): void;
}
