import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
} from '@grpc/grpc-js';
import { type Clock, Code, errorMessage, RpcError } from '@skep/platform';
import { callBidiStream, callServerStream, callUnary } from '@skep/wire';
import { CALL_TIMEOUT_MS, MESSAGE_BYTES_MAX, RECONNECT_BACKOFF_MS } from './limits.js';

export interface ConnectionOptions {
  /** Path of containerd's unix socket. */
  address: string;
  namespace: string;
  clock: Clock;
}

/**
 * A gRPC connection to containerd: adds the namespace (and lease) to every call and maps errors.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #client: Client;
  readonly #metadata: Metadata;

  constructor(options: ConnectionOptions, shared?: { client: Client; leaseId: string }) {
    this.#options = options;
    this.#client =
      shared?.client ??
      new Client(`unix:${options.address}`, credentials.createInsecure(), {
        'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
        'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
        'grpc.default_authority': 'localhost',
        'grpc.initial_reconnect_backoff_ms': RECONNECT_BACKOFF_MS.first,
        'grpc.max_reconnect_backoff_ms': RECONNECT_BACKOFF_MS.last,
        // Another address's breakage must not be shared: each connection has a channel of its own.
        'grpc.use_local_subchannel_pool': 1,
        // Nobody reads the library's own records of each call.
        'grpc.enable_channelz': 0,
      });
    this.#metadata = new Metadata();
    this.#metadata.set('containerd-namespace', options.namespace);
    if (shared) this.#metadata.set('containerd-lease', shared.leaseId);
  }

  get namespace(): string {
    return this.#options.namespace;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** The same channel, every call under a lease. */
  withLease(leaseId: string): Connection {
    return new Connection(this.#options, { client: this.#client, leaseId });
  }

  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<MessageShape<O>> {
    const timeoutMs = options.timeoutMs ?? CALL_TIMEOUT_MS;
    try {
      return await callUnary(this.#client, method, request, {
        metadata: this.#metadata,
        signal: options.signal,
        // gRPC compares deadlines with the machine's clock, whatever clock the daemon runs on.
        deadlineMs: timeoutMs === Number.POSITIVE_INFINITY ? undefined : Date.now() + timeoutMs,
      });
    } catch (error) {
      throw containerdError(error);
    }
  }

  serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): ClientReadableStream<MessageShape<O>> {
    return callServerStream(this.#client, method, request, this.#metadata);
  }

  bidiStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
  ): ClientDuplexStream<MessageShape<I>, MessageShape<O>> {
    return callBidiStream(this.#client, method, this.#metadata);
  }

  /** Reads a stream to its end, cancelling it when the reader leaves early. */
  async *iterate<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
  ): AsyncGenerator<MessageShape<O>> {
    const stream = this.serverStream(method, request);
    try {
      yield* stream as AsyncIterable<MessageShape<O>>;
    } catch (error) {
      throw containerdError(error);
    } finally {
      stream.on('error', () => {}); // the cancellation itself arrives as an error
      stream.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }
}

const CODE_MAX = 16;

/** What a socket without anybody behind it says. */
const ERRNO_TEXTS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ENOENT: 'no such file or directory',
};

/** An error of gRPC as the rooms know it: containerd's own text, its code kept. */
export function containerdError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  const fields = error as { code?: unknown; details?: unknown };
  const isStatus = typeof fields.code === 'number' && fields.code >= 1 && fields.code <= CODE_MAX;
  const code = isStatus ? (fields.code as Code) : Code.UNKNOWN;
  const details = typeof fields.details === 'string' ? fields.details : errorMessage(error);
  return new RpcError(code, readable(details), { cause: error });
}

/** grpc-js' account of a socket nobody listens on, as a sentence for people. */
function readable(details: string): string {
  const match = /^No connection established\. Last error: (?:Error: )?(.*?)\.? Resolution note: /s;
  const reason = match.exec(details)?.[1];
  if (reason === undefined) return details;
  const [, errno = '', path] = /^connect (E[A-Z]+) (.+)$/.exec(reason) ?? [];
  const words = ERRNO_TEXTS[errno];
  if (words === undefined) return `containerd cannot be reached: ${reason}`;
  return `containerd cannot be reached at ${path}: ${words}`;
}
