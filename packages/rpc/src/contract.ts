import type {
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { NodeRole } from '@skep/ca';

/**
 * Calls between nodes: what everything above is written against. `grpc/` does it with mutual TLS
 * over TCP (and, to programs of this machine, over a socket of theirs), `sim/` in memory, with faults;
 * both carry encoded messages, so that no object is ever shared. All failures are `RpcError`s with the code and text of the other side; a peer that cannot
 * be reached is UNAVAILABLE, a call that takes too long DEADLINE_EXCEEDED, an aborted one CANCELED.
 */

/**
 * Names a certificate holds. Besides a node's id there are, on managers', `swarm-ca` for enrolment
 * and `swarm-manager` for the rest.
 */
export type ServerName = string;

/** Whom a caller trusts: the swarm's roots, or (only to fetch these) anyone. */
export type Trust = 'roots' | 'anyone';

export interface DialOptions {
  serverName: ServerName;
  /** `roots` unless given. */
  trust?: Trust;
  /** Whether to show this node's certificate. True unless given. */
  withCertificate?: boolean;
  /** PEM of the roots to trust in place of the identity's: before the node has an identity. */
  rootPem?: string;
  /** To trust and show in place of the node's own: a new certificate that is not in use yet. */
  identity?: TlsIdentity;
}

export interface CallOptions {
  /** Aborting ends the call. */
  signal?: AbortSignal | undefined;
  /** Aborting ends the call with `NotSentError` as long as it waits for a connection. */
  unsentSignal?: AbortSignal | undefined;
  /** How long a call may take, ms; for streams, until the first message. No limit unless given. */
  timeoutMs?: number | undefined;
  /** Sent with the call, by lower-case key. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Forwarding of somebody else's call, see `Forwarded`. */
  forwarded?: Forwarded | undefined;
}

/** A connection to one address; opened at the first call, again after it broke, closed once. */
export interface Channel {
  readonly address: string;
  unary<I extends DescMessageOf, O extends DescMessageOf>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>>;
  /** Leaving the iteration ends the call. */
  serverStream<I extends DescMessageOf, O extends DescMessageOf>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): AsyncIterable<MessageShape<O>>;
  clientStream<I extends DescMessageOf, O extends DescMessageOf>(
    method: DescMethodClientStreaming<I, O>,
    requests: Requests<MessageInitShape<I>>,
    options?: CallOptions,
  ): Promise<MessageShape<O>>;
  /** Requests and responses side by side; `timeoutMs` is for the first response. */
  exchange<I extends DescMessageOf, O extends DescMessageOf>(
    method: DescMethodBiDiStreaming<I, O>,
    options?: CallOptions,
  ): Promise<Exchange<I, O>>;
  /**
   * Calls `listener` when a connection came up (true), and when it was lost (false): the other side
   * closed or reset it, gives no sign of life, or takes no more calls. What `close` or a change of
   * identity ends is not lost. Connections open for calls only. Returns how to stop that.
   */
  onConnection(listener: (isUp: boolean) => void): () => void;
  /** Ends every call under way with CANCELED. */
  close(): void;
}

type DescMessageOf = DescMethodUnary['input'];

/**
 * A call under way whose requests and responses need not alternate. For what is sent often: a
 * message of 256 B takes 50 µs of either side's time this way and 130 µs from request to answer, in
 * a call of its own, unary or streamed, 155 to 180 µs and 340 µs, of which bare HTTP/2 of Node.js
 * makes up 115 to 140 µs and 220 µs (one at a time over mutual TLS, on a busy machine of two cores).
 */
export interface Exchange<I extends DescMessageOf, O extends DescMessageOf> {
  /** Sends a request; a promise when no more should follow before it resolves. */
  send(request: MessageInitShape<I>): Promise<void> | undefined;
  /** To be iterated once, at once; ends with the call. Leaving the iteration ends the call. */
  readonly responses: AsyncIterable<MessageShape<O>>;
  /** Ends the call with CANCELED. */
  close(): void;
}

/**
 * What a caller streams: made as it can be sent; what is at hand already costs least as an array.
 */
export type Requests<T> = AsyncIterable<T> | Iterable<T>;

/** A node's certificate and key with the roots it trusts, all PEM. */
export interface TlsIdentity {
  rootPem: string;
  /** Leaf, then any intermediates. */
  certificatePem: string;
  keyPem: string;
}

/**
 * The identity connections are made with. It changes when certificates are renewed or roots
 * rotated.
 */
export interface IdentitySource {
  /** Undefined before the node has one. */
  current(): TlsIdentity | undefined;
  /** Calls `listener` after each change: new connections use the new identity, old ones go on. */
  onChange(listener: () => void): () => void;
}

/** Makes connections. One for a node. */
export interface Dialer {
  dial(address: string, options: DialOptions): Channel;
}

/** What a certificate says of a caller. */
export interface PeerIdentity {
  nodeId: string;
  role: NodeRole;
  clusterId: string;
}

/** Who calls. For a call that another manager forwards: who called there. */
export interface Caller {
  /** Undefined for a caller without a certificate. */
  identity: PeerIdentity | undefined;
  /** IP the call came from first. */
  address: string;
  /** Node id of the manager that forwarded the call; undefined for one that came directly. */
  forwardedBy: string | undefined;
}

/** Metadata by which a manager forwards a call to the leader (wire.md 1.4, wire-raft.md 2.4). */
export interface Forwarded {
  /**
   * Whose call it is; undefined identity: anonymous. `own` calls of the forwarding node carry none
   * of it.
   */
  caller: Caller | 'own';
  /** Address of the forwarding manager: says that this call must not be forwarded again. */
  redirectedBy: string;
}

export interface CallContext {
  caller: Caller;
  /** True when the call was forwarded already, so that it must be answered here or refused. */
  isRedirected: boolean;
  /** Aborts when the caller is gone or gave up. */
  signal: AbortSignal;
}

type HandlerOf<M> =
  M extends DescMethodUnary<infer I, infer O>
    ? (request: MessageShape<I>, context: CallContext) => Promise<MessageShape<O>>
    : M extends DescMethodServerStreaming<infer I, infer O>
      ? (request: MessageShape<I>, context: CallContext) => AsyncIterable<MessageShape<O>>
      : M extends DescMethodClientStreaming<infer I, infer O>
        ? (
            requests: AsyncIterable<MessageShape<I>>,
            context: CallContext,
          ) => Promise<MessageShape<O>>
        : M extends DescMethodBiDiStreaming<infer I, infer O>
          ? (
              requests: AsyncIterable<MessageShape<I>>,
              context: CallContext,
            ) => AsyncIterable<MessageShape<O>>
          : never;

/**
 * Implementations of a service's methods by their local names; those left out answer UNIMPLEMENTED.
 */
export type Handlers<S extends DescService> = {
  [K in keyof S['method']]?: HandlerOf<S['method'][K]>;
};

/** A service with its implementation, as `implement` pairs them. */
export interface BoundService {
  service: DescService;
  handlers: Record<string, unknown>;
}

/** Pairs a service with its handlers, type-checked. */
export function implement<S extends DescService>(service: S, handlers: Handlers<S>): BoundService {
  return { service, handlers: handlers as Record<string, unknown> };
}

export interface ServeOptions {
  /** `ip:port` to listen at; port 0 picks one. */
  address: string;
  services: readonly BoundService[];
  /** The cluster that callers must be of. */
  clusterId: string;
  /**
   * Whether a node's certificate is refused, though it is valid (Cluster.blacklisted_certificates).
   */
  isRefused(nodeId: string): boolean;
}

export interface Listener {
  /** `ip:port` listened at. */
  readonly address: string;
  /** Ends all calls and connections. */
  close(): Promise<void>;
}

/** Answers calls. Checks each caller against the roles its method is for (wire.md 1.3, 1.4). */
export interface Host {
  serve(options: ServeOptions): Promise<Listener>;
}
