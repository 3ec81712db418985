import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { Clock } from '@skep/platform';
import { type Channel, dialLocal, type Exchange, NotSentError } from '@skep/rpc';
import { CALL_TIMEOUT_MS } from './limits.js';

export interface ConnectionOptions {
  /** Path of containerd's unix socket. */
  address: string;
  namespace: string;
  clock: Clock;
}

/**
 * A gRPC connection to containerd: adds the namespace (and lease) to every call and says in words when
 * nobody is there. Rejects with containerd's own text, its code kept.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #channel: Channel;
  readonly #metadata: Readonly<Record<string, string>>;

  constructor(options: ConnectionOptions, shared?: { channel: Channel; leaseId: string }) {
    this.#options = options;
    this.#channel = shared?.channel ?? dialLocal(options.address, options);
    this.#metadata = {
      'containerd-namespace': options.namespace,
      ...(shared && { 'containerd-lease': shared.leaseId }),
    };
  }

  get namespace(): string {
    return this.#options.namespace;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** The same channel, every call under a lease. */
  withLease(leaseId: string): Connection {
    return new Connection(this.#options, { channel: this.#channel, leaseId });
  }

  /** `timeoutMs` is {@link CALL_TIMEOUT_MS} unless given; infinite for none. */
  async call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: { timeoutMs?: number | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<MessageShape<O>> {
    const { signal, timeoutMs = CALL_TIMEOUT_MS } = options;
    try {
      return await this.#channel.unary(method, request, {
        metadata: this.#metadata,
        signal,
        timeoutMs: Number.isFinite(timeoutMs) ? timeoutMs : undefined,
      });
    } catch (error) {
      throw readable(error);
    }
  }

  /** Leaving the iteration, or aborting, ends the call. */
  async *serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    signal?: AbortSignal,
  ): AsyncGenerator<MessageShape<O>> {
    const options = { metadata: this.#metadata, signal };
    try {
      yield* this.#channel.serverStream(method, request, options);
    } catch (error) {
      throw readable(error);
    }
  }

  /** Requests and responses side by side. */
  async exchange<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
  ): Promise<Exchange<I, O>> {
    try {
      return await this.#channel.exchange(method, { metadata: this.#metadata });
    } catch (error) {
      throw readable(error);
    }
  }

  close(): void {
    this.#channel.close();
  }
}

/** A client's account of a socket nobody listens on, as a sentence for people. */
function readable(error: unknown): unknown {
  if (!(error instanceof NotSentError)) return error;
  const match = /: dial unix (.+?): (?:connect: )?(.+)"$/.exec(error.message);
  if (!match) return error;
  const text = `containerd cannot be reached at ${match[1]}: ${match[2]}`;
  return new NotSentError(text, { cause: error });
}
