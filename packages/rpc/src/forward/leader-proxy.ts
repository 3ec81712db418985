import type {
  DescMethod,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
} from '@bufbuild/protobuf';
import { type Clock, Code, RpcError } from '@skep/platform';
import type { BoundService, CallContext, CallOptions, Channel } from '../contract.js';
import { NotSentError } from '../errors.js';
import { awaitLeader, type LeaderSource } from './leader-source.js';

export interface LeaderProxyOptions {
  clock: Clock;
  leader: LeaderSource;
  /** `ip:port` of this manager. */
  ownAddress: string;
}

type Handler<I, O> = (input: I, context: CallContext) => O;

/**
 * Has a service answered by the leader, whichever manager is called (wire-raft.md 2.4). A call is repeated, at
 * another leader, only when nothing of it was sent.
 */
export class LeaderProxy {
  readonly #options: LeaderProxyOptions;

  constructor(options: LeaderProxyOptions) {
    this.#options = options;
  }

  wrap({ service, handlers }: BoundService): BoundService {
    const wrapped: BoundService['handlers'] = {};
    for (const method of service.methods) {
      const own = handlers[method.localName];
      if (own !== undefined) wrapped[method.localName] = this.#wrapMethod(method, own as never);
    }
    return { service, handlers: wrapped };
  }

  #wrapMethod(method: DescMethod, own: Handler<never, never>): Handler<never, unknown> {
    switch (method.methodKind) {
      case 'unary':
        return (request, context) => this.#unary(method as DescMethodUnary, own, request, context);
      case 'server_streaming':
        return (request, context) =>
          this.#serverStream(method as DescMethodServerStreaming, own, request, context);
      case 'client_streaming':
        return (requests, context) =>
          this.#clientStream(method as DescMethodClientStreaming, own, requests, context);
      default:
        throw new Error(`${method.name}: streams both ways are not forwarded`);
    }
  }

  #unary(
    method: DescMethodUnary,
    own: Handler<never, Promise<unknown>>,
    request: never,
    context: CallContext,
  ): Promise<unknown> {
    return this.#atLeader(context, (leader) =>
      leader === 'self'
        ? own(request, context)
        : leader.unary(method, request, this.#forward(context)),
    );
  }

  async #clientStream(
    method: DescMethodClientStreaming,
    own: Handler<never, Promise<unknown>>,
    requests: never,
    context: CallContext,
  ): Promise<unknown> {
    const leader = await this.#find(context);
    if (leader === 'self') return await own(requests, context);
    return await leader.clientStream(method, requests, this.#forward(context));
  }

  async *#serverStream(
    method: DescMethodServerStreaming,
    own: Handler<never, AsyncIterable<unknown>>,
    request: never,
    context: CallContext,
  ): AsyncIterable<unknown> {
    // The first message decides whether the leader was reached at all.
    const opened = await this.#atLeader(context, async (leader) => {
      const stream =
        leader === 'self'
          ? own(request, context)
          : leader.serverStream(method, request, this.#forward(context));
      const messages = stream[Symbol.asyncIterator]();
      return { messages, first: await messages.next() };
    });
    const { messages, first } = opened;
    try {
      for (let next = first; !next.done; next = await messages.next()) yield next.value;
    } finally {
      await messages.return?.();
    }
  }

  async #atLeader<R>(
    context: CallContext,
    call: (leader: 'self' | Channel) => Promise<R>,
  ): Promise<R> {
    const leader = await this.#find(context);
    try {
      return await call(leader);
    } catch (error) {
      if (leader === 'self' || !(error instanceof NotSentError)) throw error;
      return await call(await this.#find(context, leader));
    }
  }

  async #find(context: CallContext, except?: Channel): Promise<'self' | Channel> {
    const { leader: source, clock } = this.#options;
    const leader = await awaitLeader(source, clock, context.signal, except);
    if (leader !== 'self' && context.isRedirected) {
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'more than one redirect to leader found');
    }
    return leader;
  }

  #forward({ caller, signal }: CallContext): CallOptions {
    return { signal, forwarded: { caller, redirectedBy: this.#options.ownAddress } };
  }
}
