import { Readable } from 'node:stream';
import { Code, errorMessage, RpcError } from '@skep/platform';
import type { ImageSource } from '../../contract/engine.js';
import { RegistryError } from '../../registry/errors.js';
import type { FetchedManifest, ManifestHead, RepositorySession } from '../../registry/session.js';
import { readBody } from '../../registry/transport.js';
import type { ImageTraffic } from '../context.js';
import { sha256Digest } from '../digest.js';
import { MANIFEST_BYTES_MAX } from '../limits.js';

/** What a pull asks of whoever has the image. */
export type PullSession = Pick<RepositorySession, 'headManifest' | 'getManifest' | 'getBlob'> & {
  readonly origin: keyof ImageTraffic;
  readonly endpoint: { readonly url: string };
};

/** Another source than a registry, asked the same way. */
export class SourceSession implements PullSession {
  readonly origin = 'peers';
  readonly endpoint: { readonly url: string };
  readonly #source: ImageSource;
  readonly #signal: AbortSignal;

  constructor(source: ImageSource, signal: AbortSignal) {
    this.endpoint = { url: source.name };
    this.#source = source;
    this.#signal = signal;
  }

  async headManifest(): Promise<ManifestHead> {
    return this.#source.target;
  }

  async getManifest(tagOrDigest: string): Promise<FetchedManifest> {
    const { target } = this.#source;
    const digest = tagOrDigest.startsWith('sha256:') ? tagOrDigest : target.digest;
    const { body } = await this.getBlob(digest, 0);
    const answer = { status: 200, headers: {}, body };
    const data = await readBody(answer, MANIFEST_BYTES_MAX).catch((error: unknown) => {
      throw this.#broken(error);
    });
    if (sha256Digest(data) !== digest) {
      throw new RegistryError('invalid', `manifest verification failed for digest ${digest}`);
    }
    const mediaType = digest === target.digest ? target.mediaType : '';
    return { mediaType, data, digest };
  }

  async getBlob(digest: string, offset: number): Promise<{ body: Readable; skip: number }> {
    const pieces = this.#source.read(digest, offset, this.#signal);
    const body = Readable.from(this.#buffers(pieces), { objectMode: true });
    return { body, skip: 0 };
  }

  async *#buffers(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
    try {
      for await (const piece of pieces) {
        yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
      }
    } catch (error) {
      throw this.#broken(error);
    }
  }

  /** Worth another attempt: the source takes it from elsewhere then, where it can. */
  #broken(error: unknown): RegistryError {
    if (error instanceof RegistryError) return error;
    const text = `${this.endpoint.url}: ${errorMessage(error)}`;
    const isInVain = error instanceof RpcError && error.code === Code.DATA_LOSS;
    return new RegistryError(isInVain ? 'invalid' : 'unreachable', text, { cause: error });
  }
}
