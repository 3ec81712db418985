import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import { methodPath } from '../authorize/roles.js';
import { decode, encode } from '../codec.js';
import type { CallOptions, Channel, Exchange, Requests } from '../contract.js';
import { asRpcError, canceled } from '../errors.js';
import { forwardMetadata } from '../metadata.js';
import { pump } from '../pump.js';
import { CallLimit } from './call-limit.js';
import type { Connection, OutgoingCall } from './connection.js';
import { Connector, type ConnectorOptions } from './connector.js';

export type ChannelOptions<C extends Connection> = Omit<ConnectorOptions<C>, 'onConnection'>;

/** Calls to one address over connections of either twin. */
export class ConnectorChannel<C extends Connection> implements Channel {
  readonly address: string;
  readonly #options: ChannelOptions<C>;
  readonly #connector: Connector<C>;
  readonly #calls = new Set<OutgoingCall>();
  readonly #connectionListeners = new Set<(isUp: boolean) => void>();
  readonly #onClose: () => void;

  constructor(address: string, options: ChannelOptions<C>, onClose: () => void) {
    this.address = address;
    this.#options = options;
    const onConnection = (isUp: boolean) => {
      for (const listener of [...this.#connectionListeners]) listener(isUp);
    };
    this.#connector = new Connector({ ...options, onConnection });
    this.#onClose = onClose;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const bytes = encode(method.input, request);
    const call = await this.#call(method, options, options.timeoutMs);
    void call.write(bytes);
    call.end();
    return decode(method.output, await call.response());
  }

  async *serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): AsyncGenerator<MessageShape<O>> {
    const bytes = encode(method.input, request);
    // The limit is for the first message: the other side would take it for the whole call.
    const call = await this.#call(method, options, undefined);
    void call.write(bytes);
    call.end();
    yield* decoded(call.messages(), method.output);
  }

  async clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: Requests<MessageInitShape<I>>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const call = await this.#call(method, options, options.timeoutMs);
    pump(requests, (request) => encode(method.input, request), call).then(
      (isComplete) => isComplete && call.end(),
      (error: unknown) => call.fail(asRpcError(error)),
    );
    return decode(method.output, await call.response());
  }

  async exchange<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    options: CallOptions = {},
  ): Promise<Exchange<I, O>> {
    const call = await this.#call(method, options, undefined);
    return {
      send: (request) => call.write(encode(method.input, request)),
      responses: decoded(call.messages(), method.output),
      close: () => call.fail(canceled()),
    };
  }

  onConnection(listener: (isUp: boolean) => void): () => void {
    this.#connectionListeners.add(listener);
    return () => void this.#connectionListeners.delete(listener);
  }

  /** The identity or the roots changed. */
  renew(): void {
    this.#connector.renew();
  }

  close(): void {
    for (const call of [...this.#calls]) call.fail(canceled());
    this.#connector.close();
    this.#onClose();
  }

  async #call(
    method: DescMethod,
    options: CallOptions,
    timeoutMs: number | undefined,
  ): Promise<OutgoingCall> {
    const limit = new CallLimit(this.#options.clock, options);
    try {
      const connector = this.#connector;
      const connection = connector.ready ?? (await limit.connection(connector.connection()));
      const metadata = { ...options.metadata, ...forwardMetadata(options.forwarded) };
      const call = connection.call({ path: methodPath(method), metadata, timeoutMs }, limit);
      this.#calls.add(call);
      call.onClose(() => this.#calls.delete(call));
      return call;
    } catch (error) {
      limit.dispose();
      throw error;
    }
  }
}

async function* decoded<O extends DescMessage>(
  messages: AsyncIterable<Uint8Array>,
  schema: O,
): AsyncGenerator<MessageShape<O>> {
  for await (const message of messages) yield decode(schema, message);
}
