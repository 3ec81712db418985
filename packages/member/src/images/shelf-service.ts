import { create } from '@bufbuild/protobuf';
import { type Clock, Code, RpcError } from '@skep/platform';
import { type BoundService, type CallContext, implement } from '@skep/rpc';
import { FindImageResponseSchema, ReadImageResponseSchema, Shelf } from '@skep/wire/skep';
import type { ImageShelf, ImagesLink, ShelfImage } from './contract.js';
import { LEAVE_KEPT_MS, LEAVES_MAX, PIECE_BYTES_MAX, READS_MAX } from './limits.js';

export interface ShelfServiceOptions {
  shelf: ImageShelf;
  clock: Clock;
  /** Rejects UNAVAILABLE without a manager. */
  link(): ImagesLink;
  /** Counts what was sent. */
  onSent(bytes: number): void;
}

/**
 * Serves this node's images to nodes whose tasks need them: a manager is asked for leave, for each
 * node and image, and nothing is sent on anybody's word alone.
 */
export class ShelfService {
  readonly #options: ShelfServiceOptions;
  /** By node and image: until when (monotonic ms) it may be sent. */
  readonly #leaves = new Map<string, number>();
  #reads = 0;

  constructor(options: ShelfServiceOptions) {
    this.#options = options;
  }

  bound(): BoundService {
    return implement(Shelf, {
      find: async ({ image }, context) => {
        const { access, target } = await this.#allowed(image, context);
        const { digest, mediaType, size } = target;
        const restricted = access !== undefined;
        const response = { digest, mediaType, restricted, sizeBytes: BigInt(size) };
        return create(FindImageResponseSchema, response);
      },
      read: ({ digest, image, offsetBytes }, context) =>
        this.#read(image, digest, Number(offsetBytes), context),
    });
  }

  async *#read(image: string, digest: string, offset: number, context: CallContext) {
    const { digests } = await this.#allowed(image, context);
    if (!digests.has(digest))
      throw new RpcError(Code.NOT_FOUND, `${digest} is no part of ${image}`);
    if (this.#reads >= READS_MAX) {
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'this node serves too many others');
    }
    this.#reads++;
    try {
      for await (const piece of this.#options.shelf.read(digest, offset)) {
        if (context.signal.aborted) return;
        for (let start = 0; start < piece.length; start += PIECE_BYTES_MAX) {
          const data = piece.subarray(start, start + PIECE_BYTES_MAX);
          yield create(ReadImageResponseSchema, { data });
          this.#options.onSent(data.length);
        }
      }
    } finally {
      this.#reads--;
    }
  }

  async #allowed(image: string, { caller }: CallContext): Promise<ShelfImage> {
    const nodeId = caller.identity?.nodeId ?? '';
    const found = await this.#options.shelf.find(image);
    if (!found) throw new RpcError(Code.NOT_FOUND, `this node does not have ${image}`);
    const nowMs = this.#options.clock.monotonic();
    // With its access: what changes that takes leave away.
    const { salt = new Uint8Array(), keys = [] } = found.access ?? {};
    const key = [nodeId, image, ...[salt, ...keys].map(base64)].join(' ');
    if ((this.#leaves.get(key) ?? 0) > nowMs) return found;
    const { allowed } = await this.#options.link().mayHave({ nodeId, image, salt, keys });
    if (!allowed) {
      throw new RpcError(Code.PERMISSION_DENIED, `node ${nodeId} has no right to ${image}`);
    }
    this.#remember(key, nowMs + LEAVE_KEPT_MS);
    return found;
  }

  #remember(key: string, untilMs: number): void {
    this.#leaves.delete(key);
    this.#leaves.set(key, untilMs);
    const oldest = this.#leaves.keys().next().value;
    if (this.#leaves.size > LEAVES_MAX && oldest !== undefined) this.#leaves.delete(oldest);
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
