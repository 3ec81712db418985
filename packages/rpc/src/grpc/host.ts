import type { Socket } from 'node:net';
import tls from 'node:tls';
import {
  type Clock,
  Code,
  errorMessage,
  type InvariantError,
  type Logger,
  RpcError,
} from '@skep/platform';
import { joinAddress, splitAddress } from '../address.js';
import type { Host, IdentitySource, Listener, ServeOptions, TlsIdentity } from '../contract.js';
import { CONNECTIONS_MAX, HANDSHAKE_TIMEOUT_MS } from '../limits.js';
import { ServerConnections } from './server-connections.js';

export interface GrpcHostOptions {
  identity: IdentitySource;
  clock: Clock;
  logger: Logger;
  /** An invariant broke while a call was answered. */
  onFatal(error: InvariantError): void;
}

/** Answers calls by gRPC over mutual TLS. */
export class GrpcHost implements Host {
  readonly #options: GrpcHostOptions;

  constructor(options: GrpcHostOptions) {
    this.#options = options;
  }

  /**
   * Rejects with FAILED_PRECONDITION without an identity, or when the address cannot be listened
   * at.
   */
  async serve(options: ServeOptions): Promise<Listener> {
    const { identity } = this.#options;
    const server = tls.createServer({
      ...contextOf(currentOf(identity)),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
      // Nodes that join have no certificate; one that is shown is verified before the first call.
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    server.maxConnections = CONNECTIONS_MAX;
    const connections = new ServerConnections({
      ...this.#options,
      ...options,
      rootPem: () => currentOf(identity).rootPem,
    });
    server.on('secureConnection', (socket) => connections.accept(socket));
    const sockets = new Set<Socket>();
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
    const stopListening = identity.onChange(() => {
      const current = identity.current();
      if (current) server.setSecureContext(contextOf(current));
    });
    const close = async () => {
      stopListening();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      connections.close();
      // Those whose handshake is not over would be served, and waited for.
      for (const socket of sockets) socket.destroy();
      await closed;
    };
    try {
      await listen(server, options.address);
    } catch (error) {
      stopListening();
      throw error;
    }
    return { address: boundAddress(server), close };
  }
}

function currentOf(identity: IdentitySource): TlsIdentity {
  const current = identity.current();
  if (!current) throw new RpcError(Code.FAILED_PRECONDITION, 'the node has no certificate yet');
  return current;
}

function contextOf({ rootPem, certificatePem, keyPem }: TlsIdentity): tls.SecureContextOptions {
  return { ca: rootPem, cert: certificatePem, key: keyPem };
}

function listen(server: tls.Server, address: string): Promise<void> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const failed = `listen tcp ${address}: ${bindText(error)}`;
      const text = `failed to listen on remote API address: ${failed}`;
      reject(new RpcError(Code.FAILED_PRECONDITION, text, { cause: error }));
    });
    server.listen({ host, port }, resolve);
  });
}

/** Go's words for what keeps an address from being listened at. */
function bindText(error: Error & { code?: string }): string {
  const reasons: Record<string, string> = {
    EADDRINUSE: 'bind: address already in use',
    EADDRNOTAVAIL: 'bind: cannot assign requested address',
    EACCES: 'bind: permission denied',
    EAFNOSUPPORT: 'socket: address family not supported by protocol',
  };
  return reasons[error.code ?? ''] ?? errorMessage(error);
}

function boundAddress(server: tls.Server): string {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not listening at a port');
  return joinAddress(bound.address, bound.port);
}
