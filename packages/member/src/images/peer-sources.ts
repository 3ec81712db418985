import { Code, RpcError } from '@skep/platform';
import type { Channel } from '@skep/rpc';
import { Shelf } from '@skep/wire/skep';
import type { ImageTarget, PeerImage } from './contract.js';
import { READ_TIMEOUT_MS, READS_OF_PART_MAX } from './limits.js';

/** A node that says to have an image. */
export interface PeerSource {
  nodeId: string;
  channel: Channel;
  target: ImageTarget;
  restricted: boolean;
}

/** An image read from several nodes that have the same under its name. */
export class PeerSources implements PeerImage {
  readonly target: ImageTarget;
  readonly restricted: boolean;
  readonly #image: string;
  readonly #sources: readonly PeerSource[];
  readonly #onReceived: (bytes: number) => void;
  /** Calls so far, for each part. */
  readonly #calls = new Map<string, number>();

  /** `sources`: at least one, all of the same target. */
  constructor(
    image: string,
    sources: readonly [PeerSource, ...PeerSource[]],
    onReceived: (bytes: number) => void,
  ) {
    this.target = sources[0].target;
    this.restricted = sources.some(({ restricted }) => restricted);
    this.#image = image;
    this.#sources = sources;
    this.#onReceived = onReceived;
  }

  get nodeIds(): readonly string[] {
    return this.#sources.map(({ nodeId }) => nodeId);
  }

  async *read(digest: string, offset: number, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    const calls = this.#calls.get(digest) ?? 0;
    this.#calls.set(digest, calls + 1);
    if (calls >= READS_OF_PART_MAX * this.#sources.length) {
      throw new RpcError(Code.DATA_LOSS, `no node gives ${digest} as it should be`);
    }
    // Parts begin with different nodes, so that they share the work.
    const begin = [...this.#calls.keys()].indexOf(digest);
    const source = this.#sources[(begin + calls) % this.#sources.length];
    if (!source) throw new RpcError(Code.UNAVAILABLE, 'no node has the image');
    const request = { image: this.#image, digest, offsetBytes: BigInt(offset) };
    const options = { signal, timeoutMs: READ_TIMEOUT_MS };
    for await (const { data } of source.channel.serverStream(Shelf.method.read, request, options)) {
      this.#onReceived(data.length);
      yield data;
    }
  }

  close(): void {
    for (const { channel } of this.#sources) channel.close();
  }
}
