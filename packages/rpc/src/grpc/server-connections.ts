import {
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { errorMessage } from '@skep/platform';
import { authorize, type Peer } from '../authorize/authorize.js';
import type { ServeOptions } from '../contract.js';
import { asRpcError } from '../errors.js';
import {
  ANONYMOUS_CONNECTIONS_MAX,
  ANONYMOUS_IDLE_MS,
  ANONYMOUS_STREAMS_MAX,
  CONNECTION_WINDOW_BYTES,
  SESSION_MEMORY_MB,
  STREAM_WINDOW_BYTES,
  STREAMS_MAX,
} from '../limits.js';
import type { Metadata } from '../metadata.js';
import { MethodTable } from '../methods.js';
import { peerOf } from '../peer.js';
import { respondError, ServerCall, type ServerCallOptions } from './server-call.js';

export interface ServerConnectionsOptions extends ServerCallOptions, ServeOptions {
  /** PEM of the roots that must vouch for callers. */
  rootPem(): string;
}

/**
 * The connections of a listener: who is at the other end of each, and the calls that come over it.
 */
export class ServerConnections {
  readonly #options: ServerConnectionsOptions;
  readonly #methods: MethodTable;
  readonly #sessions = new Set<ServerHttp2Session>();
  #anonymous = 0;

  constructor(options: ServerConnectionsOptions) {
    this.#options = options;
    this.#methods = new MethodTable(options.services);
  }

  /** Takes a connection whose TLS handshake is done. */
  accept(socket: TLSSocket): void {
    socket.on('error', (error) => {
      this.#options.logger.debug({ error: errorMessage(error) }, 'connection broke');
    });
    const peer = this.#peerOf(socket);
    if (peer.refusal !== undefined) {
      this.#options.logger.warn({ address: peer.address, reason: peer.refusal }, 'caller refused');
    }
    if (peer.identity) this.#serve(socket, peer, STREAMS_MAX);
    else this.#acceptAnonymous(socket, peer);
  }

  /** Ends all calls and connections. */
  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #acceptAnonymous(socket: TLSSocket, peer: Peer): void {
    if (this.#anonymous >= ANONYMOUS_CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    this.#anonymous++;
    socket.once('close', () => this.#anonymous--);
    socket.setTimeout(ANONYMOUS_IDLE_MS, () => socket.destroy());
    this.#serve(socket, peer, ANONYMOUS_STREAMS_MAX);
  }

  #serve(socket: TLSSocket, peer: Peer, streamsMax: number): void {
    socket.setNoDelay(true);
    // Also takes callers that negotiated no protocol, which dockerd's nodes do once they renewed.
    const session = performServerHandshake(socket, {
      settings: { maxConcurrentStreams: streamsMax, initialWindowSize: STREAM_WINDOW_BYTES },
      maxSessionMemory: SESSION_MEMORY_MB,
    });
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('stream', (stream, headers) => this.#onCall(stream, headers as Metadata, peer));
  }

  #onCall(stream: ServerHttp2Stream, headers: Metadata, peer: Peer): void {
    // Told by 'close' as well.
    stream.on('error', () => {});
    try {
      const served = this.#methods.at(String(headers[':path']));
      const authorized = authorize(served.path, peer, headers, this.#options);
      void new ServerCall(stream, headers, served, authorized, this.#options).run();
    } catch (error) {
      respondError(stream, asRpcError(error));
    }
  }

  #peerOf(socket: TLSSocket): Peer {
    const address = plainAddress(socket.remoteAddress ?? '');
    const { clock, rootPem } = this.#options;
    const peer = peerOf(address, chainPem(socket), rootPem(), clock.now());
    if (!peer.identity || socket.authorized) return peer;
    return { address, identity: undefined, refusal: String(socket.authorizationError) };
  }
}

/** IPv4 addresses as such, also on a socket of both families. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

/** The certificate the caller showed with those that follow it; undefined when it showed none. */
function chainPem(socket: TLSSocket): string | undefined {
  let certificate = socket.getPeerX509Certificate();
  if (!certificate) return undefined;
  let pem = '';
  for (; certificate; certificate = certificate.issuerCertificate) pem += `${certificate}\n`;
  return pem;
}
