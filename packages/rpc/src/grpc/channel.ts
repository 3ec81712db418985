import type { OutgoingHttpHeaders } from 'node:http2';
import type {
  DescMessage,
  DescMethod,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from '@bufbuild/protobuf';
import type { RpcError } from '@skep/platform';
import { methodPath } from '../authorize/roles.js';
import { CallLimit } from '../call-limit.js';
import { decode, encode } from '../codec.js';
import type { CallOptions, Channel } from '../contract.js';
import { asRpcError, canceled } from '../errors.js';
import { forwardMetadata } from '../metadata.js';
import { ClientCall } from './client-call.js';
import { Connector, type ConnectorOptions } from './connector.js';
import { encodeFrame } from './frame.js';
import { pump } from './pump.js';
import { CONTENT_TYPE, timeoutHeader } from './status.js';

const USER_AGENT = 'skep';

/** gRPC over HTTP/2 over mutual TLS, to one address. */
export class GrpcChannel implements Channel {
  readonly address: string;
  readonly #options: ConnectorOptions;
  readonly #connector: Connector;
  readonly #calls = new Set<ClientCall>();
  readonly #onClose: () => void;

  constructor(address: string, options: ConnectorOptions, onClose: () => void) {
    this.address = address;
    this.#options = options;
    this.#connector = new Connector(options);
    this.#onClose = onClose;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const frame = encodeFrame(encode(method.input, request));
    const call = await this.#call(method, options, timeoutHeader(options.timeoutMs));
    call.stream.end(frame);
    return decode(method.output, await call.response());
  }

  async *serverStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: CallOptions = {},
  ): AsyncGenerator<MessageShape<O>> {
    const frame = encodeFrame(encode(method.input, request));
    // No header: the limit is for the first message, the other side would take it for the whole call.
    const call = await this.#call(method, options, {});
    call.stream.end(frame);
    for await (const message of call.messages()) yield decode(method.output, message);
  }

  async clientStream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: AsyncIterable<MessageInitShape<I>>,
    options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const call = await this.#call(method, options, timeoutHeader(options.timeoutMs));
    pump(requests, (request) => encode(method.input, request), call.stream).then(
      (isComplete) => isComplete && call.stream.end(),
      (error: unknown) => call.fail(asRpcError(error)),
    );
    return decode(method.output, await call.response());
  }

  /** The identity or the roots changed. */
  renew(): void {
    this.#connector.renew();
  }

  close(): void {
    for (const call of this.#calls) call.fail(canceled());
    this.#connector.close();
    this.#onClose();
  }

  async #call(
    method: DescMethod,
    options: CallOptions,
    timeout: Record<string, string>,
  ): Promise<ClientCall> {
    const limit = new CallLimit(this.#options.clock, options);
    try {
      const connection =
        this.#connector.ready ?? (await limit.within(this.#connector.connection()));
      const stream = connection.request({ ...this.#headers(method, options), ...timeout });
      const call = new ClientCall(stream, connection, limit, () => this.#calls.delete(call));
      this.#calls.add(call);
      return call;
    } catch (error) {
      limit.dispose();
      throw error as RpcError;
    }
  }

  #headers(method: DescMethod, { forwarded }: CallOptions): OutgoingHttpHeaders {
    return {
      ':method': 'POST',
      ':path': methodPath(method),
      te: 'trailers',
      'content-type': CONTENT_TYPE,
      'user-agent': USER_AGENT,
      ...(forwarded && forwardMetadata(forwarded)),
    };
  }
}
