import type { NamespacePath } from '../../kernel/contract.js';

export type NameProtocol = 'udp' | 'tcp';

/** Takes a client's message; `reply` may be called once, now or later, or never. */
export type QuestionHandler = (
  message: Buffer,
  protocol: NameProtocol,
  reply: (answer: Uint8Array) => void,
) => void;

/** The sockets that a container's questions come to. */
export interface NameListener {
  readonly udpPort: number;
  readonly tcpPort: number;
  /** Closes the sockets and all connections; answers that come later go nowhere. */
  close(): void;
}

/** A server outside of the networks. */
export interface NameServer {
  /** IPv4 or IPv6, the latter perhaps with a zone. */
  address: string;
  /** Where the way to it begins; empty: in the host's namespace. */
  namespace: NamespacePath;
}

export interface ServerEvents {
  onMessage(message: Buffer): void;
  /** Nothing will come any more. Called at most once, and not after `close`. */
  onFailure(error: Error): void;
}

/** One way to one server, for one question. */
export interface ServerChannel {
  close(): void;
}

/** The only way in which names reach sockets. */
export interface NameSockets {
  /**
   * Opens a UDP and a TCP socket for `address` in a namespace. Rejects with what the kernel says; then
   * nothing stays open.
   */
  listen(
    namespace: NamespacePath,
    address: string,
    handler: QuestionHandler,
  ): Promise<NameListener>;
  /** Sends a message to a server, from a port of its own. Events come later than this returns. */
  ask(
    server: NameServer,
    protocol: NameProtocol,
    message: Buffer,
    events: ServerEvents,
  ): ServerChannel;
}
