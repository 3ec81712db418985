import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Clock, Code, invariant, RpcError } from '@skep/platform';
import type { Exchange } from '@skep/rpc';
import { content } from '@skep/wire/containerd';
import type { Connection } from '../connection.js';
import type { ContentWriter } from '../containerd.js';
import { CALL_TIMEOUT_MS, WRITE_CHUNK_BYTES } from '../limits.js';
import type { Labels, NewIngest } from '../types.js';

type Request = MessageInitShape<typeof content.WriteContentRequestSchema>;
type Upload = Exchange<
  typeof content.WriteContentRequestSchema,
  typeof content.WriteContentResponseSchema
>;

/**
 * The content upload protocol (wire.md 6.5): one answer to each request, in lock-step, and the
 * current offset with every request, since offset 0 would throw away what is stored.
 */
export class StreamContentWriter implements ContentWriter {
  readonly #upload: Upload;
  readonly #responses: AsyncIterator<content.WriteContentResponse>;
  readonly #clock: Clock;
  readonly #ingest: NewIngest;
  #offset = 0;
  #isAsking = false;
  #failure: RpcError | undefined;

  private constructor(upload: Upload, clock: Clock, ingest: NewIngest) {
    this.#upload = upload;
    this.#responses = upload.responses[Symbol.asyncIterator]();
    this.#clock = clock;
    this.#ingest = ingest;
  }

  static async open(connection: Connection, ingest: NewIngest): Promise<StreamContentWriter> {
    const upload = await connection.exchange(content.Content.method.write);
    const writer = new StreamContentWriter(upload, connection.clock, ingest);
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
    this.#end(new RpcError(Code.CANCELED, 'content upload closed'));
  }

  async #ask(request: Request): Promise<content.WriteContentResponse> {
    if (this.#failure) throw this.#failure;
    invariant(!this.#isAsking, 'one request of an upload at a time');
    this.#isAsking = true;
    const cancel = this.#clock.after(CALL_TIMEOUT_MS, () => {
      this.#end(new RpcError(Code.DEADLINE_EXCEEDED, 'content upload: no answer'));
    });
    try {
      return await this.#answerTo(request);
    } catch (error) {
      this.#failure ??= error as RpcError; // as all failures of calls are
      throw this.#failure;
    } finally {
      cancel();
      this.#isAsking = false;
    }
  }

  /** The answer to COMMIT arrives twice; the second finds nobody waiting. */
  async #answerTo(request: Request): Promise<content.WriteContentResponse> {
    const { ref, total = 0, expected = '' } = this.#ingest;
    const next = this.#responses.next();
    void this.#upload.send({
      ref,
      total: BigInt(total),
      expected,
      offset: BigInt(this.#offset),
      ...request,
    });
    const { value, done } = await next;
    if (done) throw new RpcError(Code.UNAVAILABLE, 'content upload ended');
    return value;
  }

  #end(reason: RpcError): void {
    this.#failure ??= reason;
    this.#upload.close();
    void this.#responses.return?.().catch(() => {}); // lets go of what is not read any more
  }
}
