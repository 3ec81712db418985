import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { type Clock, Code, invariant, RpcError } from '@skep/platform';
import { content } from '@skep/wire/containerd';
import { type Connection, containerdError } from '../connection.js';
import type { ContentWriter } from '../containerd.js';
import { CALL_TIMEOUT_MS, WRITE_CHUNK_BYTES } from '../limits.js';
import type { Labels, NewIngest } from '../types.js';

type Request = MessageInitShape<typeof content.WriteContentRequestSchema>;
type Stream = ClientDuplexStream<content.WriteContentRequest, content.WriteContentResponse>;

/**
 * The content upload protocol (wire.md 6.5): one answer to each request, in lock-step, and the
 * current offset with every request, since offset 0 would throw away what is stored.
 */
export class StreamContentWriter implements ContentWriter {
  readonly #stream: Stream;
  readonly #clock: Clock;
  readonly #ingest: NewIngest;
  #offset = 0;
  #waiting: { resolve(r: content.WriteContentResponse): void; reject(e: Error): void } | undefined;
  #failure: RpcError | undefined;

  private constructor(stream: Stream, clock: Clock, ingest: NewIngest) {
    this.#stream = stream;
    this.#clock = clock;
    this.#ingest = ingest;
    stream.on('data', (response: content.WriteContentResponse) => this.#settle(response));
    stream.on('error', (error) => this.#fail(containerdError(error)));
    stream.on('end', () => this.#fail(new RpcError(Code.UNAVAILABLE, 'content upload ended')));
  }

  static async open(connection: Connection, ingest: NewIngest): Promise<StreamContentWriter> {
    const stream = connection.bidiStream(content.Content.method.write);
    const writer = new StreamContentWriter(stream, connection.clock, ingest);
    try {
      const status = await writer.#ask({ action: content.WriteAction.STAT });
      writer.#offset = Number(status.offset);
      return writer;
    } catch (error) {
      writer.close();
      throw error;
    }
  }

  get offset(): number {
    return this.#offset;
  }

  async write(data: Uint8Array): Promise<void> {
    for (let start = 0; start < data.length; start += WRITE_CHUNK_BYTES) {
      const chunk = data.subarray(start, start + WRITE_CHUNK_BYTES);
      const response = await this.#ask({ action: content.WriteAction.WRITE, data: chunk });
      const expected = this.#offset + chunk.length;
      invariant(Number(response.offset) === expected, 'containerd stored every byte', { expected });
      this.#offset = expected;
    }
  }

  async commit(options: { size?: number; expected?: string; labels?: Labels }): Promise<string> {
    try {
      const response = await this.#ask({
        action: content.WriteAction.COMMIT,
        total: BigInt(options.size ?? this.#ingest.total ?? 0),
        expected: options.expected ?? this.#ingest.expected ?? '',
        labels: options.labels ?? {},
      });
      return response.digest;
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#failure ??= new RpcError(Code.CANCELED, 'content upload closed');
    this.#stream.end();
    this.#stream.cancel();
  }

  #ask(request: Request): Promise<content.WriteContentResponse> {
    if (this.#failure) return Promise.reject(this.#failure);
    invariant(!this.#waiting, 'one request of an upload at a time');
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(CALL_TIMEOUT_MS, () => {
        this.#fail(new RpcError(Code.DEADLINE_EXCEEDED, 'content upload: no answer'));
        this.#stream.cancel();
      });
      const done = () => {
        cancel();
        this.#waiting = undefined;
      };
      this.#waiting = {
        resolve: (response) => {
          done();
          resolve(response);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const { ref, total = 0, expected = '' } = this.#ingest;
      this.#stream.write(
        create(content.WriteContentRequestSchema, {
          ref,
          total: BigInt(total),
          expected,
          offset: BigInt(this.#offset),
          ...request,
        }),
      );
    });
  }

  #settle(response: content.WriteContentResponse): void {
    // The answer to COMMIT arrives twice; the second finds nobody waiting.
    this.#waiting?.resolve(response);
  }

  #fail(error: RpcError): void {
    this.#failure ??= error;
    this.#waiting?.reject(error);
  }
}
