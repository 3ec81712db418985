import type {
  LocateImageResponse,
  MayHaveImageResponse,
  NeededImagesResponse,
} from '@skep/wire/skep';

/** A manager, as far as images are concerned. Rejects with `RpcError`. */
export interface ImagesLink {
  locate(image: string): Promise<LocateImageResponse>;
  mayHave(request: {
    nodeId: string;
    image: string;
    salt: Uint8Array;
    keys: Uint8Array[];
  }): Promise<MayHaveImageResponse>;
  needed(): Promise<NeededImagesResponse>;
}

/** What a name of an image stands for: an index, or a manifest. */
export interface ImageTarget {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
}

/** An image that is on this node whole. */
export interface ShelfImage {
  target: ImageTarget;
  /** Of all its parts: documents and layers. */
  digests: ReadonlySet<string>;
  /** Of one fetched with credentials: who may have it besides (see `skep.v1.MayHaveImageRequest`). */
  access: { salt: Uint8Array; keys: Uint8Array[] } | undefined;
}

/** The images of this node, for others. */
export interface ImageShelf {
  /** Undefined where it is not here, or not whole. `image` as a task's spec has it. */
  find(image: string): Promise<ShelfImage | undefined>;
  read(digest: string, offset: number): AsyncIterable<Uint8Array>;
}

/** An image on other nodes. */
export interface PeerImage {
  target: ImageTarget;
  /** It was fetched with credentials, and is kept for those with a right to it. */
  restricted: boolean;
  /** Of the nodes that have it. */
  nodeIds: readonly string[];
  /**
   * Bytes of a part from an offset on, unchecked. Each call for the same part asks another of the
   * nodes, so that what came damaged or broke off is asked of another next. Rejects with `RpcError`:
   * DATA_LOSS when none is left to be asked.
   */
  read(digest: string, offset: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Lets go of the connections. */
  close(): void;
}
