import type { NamespacePath } from './contract.js';

export interface SocketEnd {
  /** IPv4 or IPv6, without a zone. */
  address: string;
  /** 0 … 65535; 0 for the near end: the kernel chooses. */
  port: number;
}

/** A socket that is to be opened in another network namespace. */
export interface SocketRequest {
  namespace: NamespacePath;
  protocol: 'udp' | 'tcp';
  family: 4 | 6;
  /** What it is bound to. */
  near?: SocketEnd;
  /** Where it connects to. For TCP the connection is only begun. */
  far?: SocketEnd;
}

/** Opens sockets in other namespaces, for the caller to use like any of its own. */
export interface SocketOpener {
  /**
   * Resolves a descriptor that does not block, and that the caller is to close. Rejects KernelError:
   * EADDRINUSE, ENETUNREACH, …
   */
  openSocket(request: SocketRequest): Promise<number>;
}
