import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type {
  CallOptions,
  Client,
  ClientDuplexStream,
  ClientReadableStream,
  Metadata,
  MethodDefinition,
  ServiceDefinition,
} from '@grpc/grpc-js';

/** The path a method is called at: `/package.Service/Method`. */
function methodPath(method: { parent: DescService; name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoder<T extends DescMessage>(schema: T): (message: MessageShape<T>) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function decoder<T extends DescMessage>(schema: T): (bytes: Buffer) => MessageShape<T> {
  return (bytes) => fromBinary(schema, bytes);
}

/**
 * grpc-js' definition of a service, from its protobuf-es descriptor, for `Server.addService`.
 * Handlers are keyed by the method's local (lower camel case) name.
 */
export function serviceDefinition(service: DescService): ServiceDefinition {
  const definition: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const method of service.methods) {
    definition[method.localName] = {
      path: methodPath(method),
      requestStream:
        method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
      responseStream:
        method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
      requestSerialize: encoder(method.input) as (value: unknown) => Buffer,
      requestDeserialize: decoder(method.input),
      responseSerialize: encoder(method.output) as (value: unknown) => Buffer,
      responseDeserialize: decoder(method.output),
    };
  }
  return definition;
}

export interface UnaryOptions {
  metadata: Metadata;
  /** Aborting cancels the call; the promise rejects with status CANCELLED. */
  signal?: AbortSignal | undefined;
  /** Absolute deadline in ms since the epoch. */
  deadlineMs?: number | undefined;
}

/** Calls a unary method. Rejects with grpc-js' `ServiceError` (`code`, `details`). */
export function callUnary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options: UnaryOptions,
): Promise<MessageShape<O>> {
  return new Promise((resolve, reject) => {
    const callOptions: CallOptions =
      options.deadlineMs === undefined ? {} : { deadline: options.deadlineMs };
    const call = client.makeUnaryRequest(
      methodPath(method),
      encoder(method.input),
      decoder(method.output),
      create(method.input, request),
      options.metadata,
      callOptions,
      (error, response) => {
        options.signal?.removeEventListener('abort', cancel);
        if (error) reject(error);
        else resolve(response as MessageShape<O>);
      },
    );
    const cancel = () => call.cancel();
    if (options.signal?.aborted) cancel();
    else options.signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** Opens a server stream; iterate it, and `cancel()` it when done early. */
export function callServerStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodServerStreaming<I, O>,
  request: MessageInitShape<I>,
  metadata: Metadata,
): ClientReadableStream<MessageShape<O>> {
  return client.makeServerStreamRequest(
    methodPath(method),
    encoder(method.input),
    decoder(method.output),
    create(method.input, request),
    metadata,
  );
}

/** Opens a bidirectional stream. */
export function callBidiStream<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodBiDiStreaming<I, O>,
  metadata: Metadata,
): ClientDuplexStream<MessageShape<I>, MessageShape<O>> {
  return client.makeBidiStreamRequest(
    methodPath(method),
    encoder(method.input),
    decoder(method.output),
    metadata,
  );
}
