import type { Address } from '../address.js';

/** What arrives, for whoever opened the sockets. Neither call throws or rejects. */
export interface SocketListener {
  onPacket(packet: Uint8Array, from: Address): void;
  /**
   * A whole message over a connection, head and all, as `streamLength` counts it. Resolves with the answer
   * to send, if there is one.
   */
  onStream(frame: Uint8Array, from: Address): Promise<Uint8Array | undefined>;
}

/** What a node speaks over: packets, and connections that carry one message each way. */
export interface GossipSockets {
  /** Rejects where the address cannot be had. */
  open(listener: SocketListener): Promise<void>;
  /** May be lost, as packets are. */
  send(packet: Uint8Array, to: Address): void;
  /**
   * Connects, sends a message, and resolves with the answer where one is wanted. Rejects when it could not
   * be sent, or the answer did not come, within `timeoutMs`.
   */
  exchange(
    frame: Uint8Array,
    to: Address,
    options: ExchangeOptions,
  ): Promise<Uint8Array | undefined>;
  close(): Promise<void>;
}

export interface ExchangeOptions {
  wantsAnswer: boolean;
  timeoutMs: number;
}
