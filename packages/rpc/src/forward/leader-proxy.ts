import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
} from '@bufbuild/protobuf';
import { type Clock, Code, RpcError } from '@skep/platform';
import type { BoundService, CallContext, Channel, Exchange } from '../contract.js';
import { NotSentError } from '../errors.js';
import { LEADER_WAIT_MS } from '../limits.js';
import type {
  AnyMessage,
  ClientStreamHandler,
  ExchangeHandler,
  ServerStreamHandler,
  UnaryHandler,
} from '../methods.js';
import { Forwarding } from './forwarding.js';
import type { Leader, LeaderSource } from './leader-source.js';
import { LeaderWatch } from './leader-watch.js';

export interface LeaderProxyOptions {
  clock: Clock;
  leader: LeaderSource;
  /** `ip:port` of this manager. */
  ownAddress: string;
}

/**
 * Has a service answered by the leader, whichever manager is called (wire-raft.md 2.4). A call is
 * repeated only when nothing of it was sent. Streams end with ABORTED when another manager leads.
 */
export class LeaderProxy {
  readonly #options: LeaderProxyOptions;
  readonly #watch: LeaderWatch;

  constructor(options: LeaderProxyOptions) {
    this.#options = options;
    this.#watch = new LeaderWatch(options.leader, options.clock);
  }

  wrap({ service, handlers }: BoundService): BoundService {
    const wrapped: BoundService['handlers'] = {};
    for (const method of service.methods) {
      const own = handlers[method.localName];
      if (own !== undefined) wrapped[method.localName] = this.#wrapMethod(method, own);
    }
    return { service, handlers: wrapped };
  }

  #wrapMethod(method: DescMethod, own: unknown): unknown {
    switch (method.methodKind) {
      case 'unary':
        return this.#unary(method as DescMethodUnary, own as UnaryHandler);
      case 'server_streaming':
        return this.#serverStream(method as DescMethodServerStreaming, own as ServerStreamHandler);
      case 'client_streaming':
        return this.#clientStream(method as DescMethodClientStreaming, own as ClientStreamHandler);
      case 'bidi_streaming':
        return this.#exchange(method as DescMethodBiDiStreaming, own as ExchangeHandler);
    }
  }

  #unary(method: DescMethodUnary, own: UnaryHandler): UnaryHandler {
    const { ownAddress } = this.#options;
    return (request, context) =>
      this.#atLeader(context, async (leader) => {
        if (leader === 'self') return own(request, context);
        const { caller, signal } = context;
        const forwarded = { caller, redirectedBy: ownAddress };
        const moved = new AbortController();
        const forget = this.#watch.whenMoved(leader, () => moved.abort());
        const options = { signal, unsentSignal: moved.signal, forwarded };
        return leader.unary(method, request, options).finally(forget);
      });
  }

  /** Not repeated: requests may have been taken from their source already. */
  #clientStream(method: DescMethodClientStreaming, own: ClientStreamHandler): ClientStreamHandler {
    return async (requests, context) => {
      const leader = await this.#leader(context);
      if (leader === 'self') return own(requests, context);
      const forwarding = this.#forwarding(leader, context);
      try {
        return await forwarding.during(() =>
          leader.clientStream(method, requests, forwarding.options),
        );
      } finally {
        forwarding.release();
      }
    };
  }

  #serverStream(method: DescMethodServerStreaming, own: ServerStreamHandler): ServerStreamHandler {
    const proxy = this;
    return async function* (request, context) {
      // Whether the leader was reached at all shows with the first message.
      const { messages, first } = await proxy.#atLeader(context, async (leader) => {
        const stream =
          leader === 'self'
            ? own(request, context)
            : proxy.#forwardStream(leader, method, request, context);
        const iterator = stream[Symbol.asyncIterator]();
        return { messages: iterator, first: await iterator.next() };
      });
      try {
        for (let next = first; !next.done; next = await messages.next()) yield next.value;
      } finally {
        await messages.return?.();
      }
    };
  }

  /** Not repeated either. */
  #exchange(method: DescMethodBiDiStreaming, own: ExchangeHandler): ExchangeHandler {
    const proxy = this;
    return async function* (requests, context) {
      const leader = await proxy.#leader(context);
      if (leader === 'self') {
        yield* own(requests, context);
        return;
      }
      const forwarding = proxy.#forwarding(leader, context);
      try {
        const exchange = await forwarding.during(() => leader.exchange(method, forwarding.options));
        passOn(requests, exchange);
        yield* answers(exchange, forwarding);
      } finally {
        forwarding.release();
      }
    };
  }

  async *#forwardStream(
    leader: Channel,
    method: DescMethodServerStreaming,
    request: AnyMessage,
    context: CallContext,
  ): AsyncGenerator<AnyMessage> {
    const forwarding = this.#forwarding(leader, context);
    const stream = leader.serverStream(method, request, forwarding.options);
    const messages = stream[Symbol.asyncIterator]();
    try {
      for (;;) {
        const next = await forwarding.during(() => messages.next());
        if (next.done) return;
        yield next.value as unknown as AnyMessage;
      }
    } finally {
      forwarding.release();
      await messages.return?.();
    }
  }

  /** Calls the leader, again as long as nothing could be sent, within {@link LEADER_WAIT_MS}. */
  async #atLeader<R>(context: CallContext, call: (leader: Leader) => Promise<R>): Promise<R> {
    const { clock } = this.#options;
    const endMs = clock.monotonic() + LEADER_WAIT_MS;
    for (;;) {
      const leader = await this.#leader(context);
      try {
        return await call(leader);
      } catch (error) {
        const mayRepeat = leader !== 'self' && error instanceof NotSentError;
        if (!mayRepeat || clock.monotonic() >= endMs) throw error;
      }
      await this.#watch.pause(leader, context.signal);
    }
  }

  async #leader(context: CallContext): Promise<Leader> {
    const leader = await this.#watch.leader(context);
    const { caller, isRedirected } = context;
    if (leader === 'self' || !isRedirected) return leader;
    const by = caller.forwardedBy ?? caller.identity?.nodeId;
    const text = `more than one redirect to leader from: [${by}]`;
    throw new RpcError(Code.RESOURCE_EXHAUSTED, text);
  }

  #forwarding(leader: Channel, { caller, signal }: CallContext): Forwarding {
    const forwarded = { caller, redirectedBy: this.#options.ownAddress };
    return new Forwarding({ watch: this.#watch, leader, signal, forwarded });
  }
}

type AnyExchange = Exchange<DescMethodBiDiStreaming['input'], DescMethodBiDiStreaming['output']>;

/** Sends requests on as they come; ends the call with them. */
function passOn(requests: AsyncIterable<AnyMessage>, exchange: AnyExchange): void {
  const send = async () => {
    for await (const request of requests) {
      const full = exchange.send(request);
      if (full) await full;
    }
  };
  // Why they end, the caller knows.
  send()
    .catch(() => {})
    .finally(() => exchange.close());
}

async function* answers(exchange: AnyExchange, forwarding: Forwarding): AsyncGenerator<AnyMessage> {
  const messages = exchange.responses[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await forwarding.during(() => messages.next());
      if (next.done) return;
      yield next.value as unknown as AnyMessage;
    }
  } finally {
    exchange.close();
  }
}
