import { constants, type ServerHttp2Stream } from 'node:http2';
import { type Clock, InvariantError, type Logger, RpcError } from '@skep/platform';
import type { Authorized } from '../authorize/authorize.js';
import { decode, encode } from '../codec.js';
import type { CallContext, Caller } from '../contract.js';
import { EndSignal } from '../end-signal.js';
import { asRpcError, canceled, deadlineExceeded } from '../errors.js';
import { SERVER_MESSAGE_BYTES_MAX } from '../limits.js';
import type { Metadata } from '../metadata.js';
import type { AnyMessage, ServedMethod } from '../methods.js';
import { pump } from '../pump.js';
import { encodeFrame, FrameDecoder } from './frame.js';
import { CONTENT_TYPE, statusTrailers, timeoutOf } from './status.js';
import { StreamSink } from './stream-sink.js';

const HEADERS = { ':status': 200, 'content-type': CONTENT_TYPE };

export interface ServerCallOptions {
  clock: Clock;
  logger: Logger;
  onFatal(error: InvariantError): void;
}

/**
 * A call that came in: hands its requests to the method's handler and sends back what that answers.
 */
export class ServerCall implements CallContext {
  readonly caller: Caller;
  readonly isRedirected: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #served: ServedMethod;
  readonly #options: ServerCallOptions;
  readonly #cancelTimer: (() => void) | undefined;
  readonly #end = new EndSignal();

  constructor(
    stream: ServerHttp2Stream,
    headers: Metadata,
    served: ServedMethod,
    { caller, isRedirected }: Authorized,
    options: ServerCallOptions,
  ) {
    this.caller = caller;
    this.isRedirected = isRedirected;
    this.#stream = stream;
    this.#served = served;
    this.#options = options;
    const timeoutMs = timeoutOf(headers);
    if (timeoutMs !== undefined) {
      this.#cancelTimer = options.clock.after(timeoutMs, () => this.#onTimeout());
    }
    stream.once('close', () => {
      this.#cancelTimer?.();
      this.#end.end(canceled);
    });
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  /** Answers the call; never rejects. */
  async run(): Promise<void> {
    try {
      await this.#answer();
    } catch (error) {
      if (error instanceof InvariantError) this.#options.onFatal(error);
      if (!(error instanceof RpcError)) {
        const method = this.#served.path;
        this.#options.logger.error({ error, method }, 'a call failed unexpectedly');
      }
      respondError(this.#stream, asRpcError(error));
    }
  }

  async #answer(): Promise<void> {
    const served = this.#served;
    const { input, output } = served.method;
    switch (served.kind) {
      case 'unary': {
        const request = await this.#request();
        const response = await served.handler(decode(input, request), this);
        return this.#respond(encode(output, response));
      }
      case 'client_streaming': {
        const response = await served.handler(this.#requests(), this);
        return this.#respond(encode(output, response));
      }
      case 'server_streaming':
        return this.#send(served.handler(decode(input, await this.#request()), this));
      case 'bidi_streaming':
        return this.#send(served.handler(this.#requests(), this));
    }
  }

  /** Answers with many messages. */
  async #send(responses: AsyncIterable<AnyMessage>): Promise<void> {
    const { output } = this.#served.method;
    this.#open();
    await pump(responses, (response) => encode(output, response), new StreamSink(this.#stream));
    if (this.#isOpen) this.#stream.end();
  }

  /** The one request of a call that has one. */
  #request(): Promise<Buffer> {
    const decoder = new FrameDecoder(SERVER_MESSAGE_BYTES_MAX);
    return new Promise((resolve, reject) => {
      const stream = this.#stream;
      let request: Buffer | undefined;
      let isSettled = false;
      stream.on('data', (chunk: Buffer) => {
        if (isSettled) return;
        try {
          decoder.push(chunk);
          request = decoder.next();
          isSettled = request !== undefined;
        } catch (error) {
          isSettled = true;
          reject(error);
        }
      });
      stream.once('end', () => (request ? resolve(request) : reject(canceled())));
      stream.once('close', () => {
        if (!stream.readableEnded) reject(canceled());
      });
    });
  }

  /** Requests as they come, no faster than they are taken. */
  async *#requests(): AsyncGenerator<AnyMessage> {
    const decoder = new FrameDecoder(SERVER_MESSAGE_BYTES_MAX);
    const { input } = this.#served.method;
    try {
      for await (const chunk of this.#stream.iterator({ destroyOnReturn: false })) {
        decoder.push(chunk as Buffer);
        for (let next = decoder.next(); next; next = decoder.next()) yield decode(input, next);
      }
    } catch (error) {
      throw error instanceof RpcError ? error : canceled();
    }
    // A reset by the caller looks like an end of its requests.
    const isCutOff = this.#stream.closed || this.#stream.destroyed || decoder.isMidMessage;
    if (this.#end.endedBy || isCutOff) throw (this.#end.endedBy ?? canceled)();
  }

  #respond(message: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#open();
    this.#stream.end(encodeFrame(message));
    discardRest(this.#stream);
  }

  /** Sends the headers; the trailers of success follow when the stream is ended. */
  #open(): void {
    if (!this.#isOpen) return;
    const stream = this.#stream;
    stream.respond(HEADERS, { waitForTrailers: true });
    stream.once('wantTrailers', () => sendTrailers(stream));
  }

  get #isOpen(): boolean {
    return !this.#stream.closed && !this.#stream.destroyed && !this.#end.endedBy;
  }

  #onTimeout(): void {
    respondError(this.#stream, deadlineExceeded());
    this.#end.end(deadlineExceeded);
  }
}

/**
 * Ends a call with an error: in the trailers when messages were sent before, else as the only
 * headers.
 */
export function respondError(stream: ServerHttp2Stream, error: RpcError): void {
  if (stream.closed || stream.destroyed || stream.writableEnded) return;
  if (stream.headersSent) {
    stream.removeAllListeners('wantTrailers');
    stream.once('wantTrailers', () => sendTrailers(stream, error));
    stream.end();
    // A reset now would overtake the trailers, and the caller's own follows on them.
    stream.resume();
  } else {
    stream.respond({ ...HEADERS, ...statusTrailers(error) }, { endStream: true });
    discardRest(stream);
  }
}

/** What the caller still sends is not wanted: it is told so once the answer is out. */
function discardRest(stream: ServerHttp2Stream): void {
  if (stream.readableEnded) return;
  const refuseMore = () => stream.close(constants.NGHTTP2_NO_ERROR);
  if (stream.writableFinished) refuseMore();
  else stream.once('finish', refuseMore);
  stream.resume();
}

function sendTrailers(stream: ServerHttp2Stream, error?: RpcError): void {
  if (!stream.closed && !stream.destroyed) stream.sendTrailers(statusTrailers(error));
}
