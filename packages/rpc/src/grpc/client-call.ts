import { type ClientHttp2Stream, constants } from 'node:http2';
import { Code, RpcError } from '@skep/platform';
import type { CallLimit } from '../client/call-limit.js';
import type { OutgoingCall } from '../client/connection.js';
import { CLIENT_MESSAGE_BYTES_MAX } from '../limits.js';
import type { Metadata } from '../metadata.js';
import type { ClientConnection } from './client-connection.js';
import { FrameDecoder } from './frame.js';
import { httpError, resetError, statusOf } from './status.js';
import { StreamSink } from './stream-sink.js';

/** A call on its stream: what comes back, and how it ended. */
export class ClientCall implements OutgoingCall {
  readonly #stream: ClientHttp2Stream;
  readonly #sink: StreamSink;
  readonly #connection: ClientConnection;
  readonly #limit: CallLimit;
  readonly #decoder = new FrameDecoder(CLIENT_MESSAGE_BYTES_MAX);
  /** What the other side said, or this side decided; the first counts. */
  #outcome: 'ok' | RpcError | undefined;
  #isOver = false;

  constructor(stream: ClientHttp2Stream, connection: ClientConnection, limit: CallLimit) {
    this.#stream = stream;
    this.#connection = connection;
    this.#limit = limit;
    this.#sink = new StreamSink(stream);
    stream.on('response', (headers) => this.#onHeaders(headers as Metadata));
    stream.on('trailers', (headers) => this.#onHeaders(headers as Metadata));
    // Told by 'close' as well, with the stream's code.
    stream.on('error', () => {});
    limit.whenEnded((error) => this.fail(error));
  }

  get isClosed(): boolean {
    return this.#sink.isClosed;
  }

  onClose(listener: () => void): () => void {
    return this.#sink.onClose(listener);
  }

  write(message: Uint8Array): Promise<void> | undefined {
    return this.#sink.write(message);
  }

  end(): void {
    if (!this.isClosed) this.#stream.end();
  }

  fail(error: RpcError): void {
    if (this.#isOver) return;
    this.#outcome = error;
    if (error.code === Code.DEADLINE_EXCEEDED) this.#connection.probe(this.#limit.startedMs);
    this.#reset();
  }

  response(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      let message: Buffer | undefined;
      const settle = () => {
        const error = this.#end();
        if (error) reject(error);
        else if (message) resolve(message);
        else reject(new RpcError(Code.INTERNAL, 'the server ended the call without a response'));
      };
      this.#stream.on('data', (chunk: Buffer) => {
        this.#connection.received();
        if (message) return;
        try {
          this.#decoder.push(chunk);
          message = this.#decoder.next();
        } catch (error) {
          this.fail(error as RpcError);
        }
      });
      this.#stream.once('end', () => {
        if (this.#outcome !== undefined) settle();
      });
      this.#stream.once('close', settle);
      if (this.#outcome !== undefined) settle();
    });
  }

  async *messages(): AsyncGenerator<Buffer> {
    try {
      if (this.#outcome === undefined) {
        for await (const chunk of this.#chunks()) {
          this.#connection.received();
          this.#limit.stopTimer();
          this.#decoder.push(chunk);
          for (let next = this.#decoder.next(); next; next = this.#decoder.next()) yield next;
        }
      }
      const error = this.#end();
      if (error) throw error;
    } finally {
      this.#end();
    }
  }

  /** The stream's bytes until it ends in whichever way; the outcome says which. */
  async *#chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.#stream.iterator({ destroyOnReturn: false })) {
        yield chunk as Buffer;
      }
    } catch {
      return;
    }
    if (this.#outcome === undefined) await this.#statusOrClose();
  }

  #statusOrClose(): Promise<void> {
    return new Promise((resolve) => {
      this.#stream.once('trailers', () => resolve());
      this.#stream.once('close', resolve);
      if (this.#stream.destroyed) resolve();
    });
  }

  #onHeaders(headers: Metadata): void {
    this.#connection.received();
    const isResponse = headers[':status'] !== undefined;
    this.#outcome ??= statusOf(headers) ?? (isResponse ? httpError(headers) : undefined);
  }

  /** Lets go of everything; the error the call ended with, if any. */
  #end(): RpcError | undefined {
    if (!this.#isOver) {
      this.#outcome ??= this.#silentEnd();
      this.#isOver = true;
      this.#limit.dispose();
      const isComplete = this.#stream.readableEnded && this.#stream.writableEnded;
      if (!isComplete) this.#reset();
    }
    return this.#outcome === 'ok' ? undefined : this.#outcome;
  }

  /** The error of a call that ended without a status. */
  #silentEnd(): RpcError {
    if (this.#connection.isBroken) return this.#connection.brokenError();
    return resetError(this.#stream.rstCode ?? constants.NGHTTP2_NO_ERROR);
  }

  /** `close` would end the requests first, and a server take what it has for all there is. */
  #reset(): void {
    this.#stream.destroy();
  }
}
