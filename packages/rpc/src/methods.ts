import type { DescMessage, DescMethod, MessageInitShape } from '@bufbuild/protobuf';
import { Code, invariant, RpcError } from '@skep/platform';
import { methodPath } from './authorize/roles.js';
import type { BoundService, CallContext } from './contract.js';

/** What makes some message: of which kind, the method says. */
export type AnyMessage = MessageInitShape<DescMessage>;

export type UnaryHandler = (request: AnyMessage, context: CallContext) => Promise<AnyMessage>;
export type ServerStreamHandler = (
  request: AnyMessage,
  context: CallContext,
) => AsyncIterable<AnyMessage>;
export type ClientStreamHandler = (
  requests: AsyncIterable<AnyMessage>,
  context: CallContext,
) => Promise<AnyMessage>;
export type ExchangeHandler = (
  requests: AsyncIterable<AnyMessage>,
  context: CallContext,
) => AsyncIterable<AnyMessage>;

/** A method that a listener answers, with its handler by kind. */
export type ServedMethod =
  | { path: string; method: DescMethod; kind: 'unary'; handler: UnaryHandler }
  | { path: string; method: DescMethod; kind: 'server_streaming'; handler: ServerStreamHandler }
  | { path: string; method: DescMethod; kind: 'client_streaming'; handler: ClientStreamHandler }
  | { path: string; method: DescMethod; kind: 'bidi_streaming'; handler: ExchangeHandler };

/** The methods of a listener by path. */
export class MethodTable {
  readonly #methods = new Map<string, ServedMethod>();
  readonly #services = new Set<string>();

  constructor(services: readonly BoundService[]) {
    for (const { service, handlers } of services) {
      invariant(!this.#services.has(service.typeName), `${service.typeName} is served twice`);
      this.#services.add(service.typeName);
      for (const method of service.methods) {
        const served = servedMethod(method, handlers[method.localName]);
        if (served) this.#methods.set(served.path, served);
      }
    }
  }

  /** Throws UNIMPLEMENTED, in Go's words, when nothing is served at the path. */
  at(path: string): ServedMethod {
    const served = this.#methods.get(path);
    if (served) return served;
    const [, service = '', method = ''] = path.split('/');
    const text = this.#services.has(service)
      ? `unknown method ${method} for service ${service}`
      : `unknown service ${service}`;
    throw new RpcError(Code.UNIMPLEMENTED, text);
  }
}

function servedMethod(method: DescMethod, handler: unknown): ServedMethod | undefined {
  if (handler === undefined) return undefined;
  return { path: methodPath(method), method, kind: method.methodKind, handler } as ServedMethod;
}
