import { Code } from '@skep/platform';
import type { Containerd } from '../../containerd/containerd.js';
import type { Image } from '../index-map.js';
import { hasCode } from '../ingest.js';

/** Layers whose size is remembered; a node with more asks again now and then. */
const LAYERS_REMEMBERED_MAX = 10_000;

/** Disk use of unpacked layers. A committed snapshot never changes, so each is asked for once. */
export class LayerSizes {
  readonly #containerd: Containerd;
  readonly #bytes = new Map<string, number>();

  constructor(containerd: Containerd) {
    this.#containerd = containerd;
  }

  async layerBytes(chainId: string): Promise<number> {
    const known = this.#bytes.get(chainId);
    if (known !== undefined) return known;
    try {
      const { bytes } = await this.#containerd.snapshots.usage(chainId);
      if (this.#bytes.size >= LAYERS_REMEMBERED_MAX) this.#bytes.clear();
      this.#bytes.set(chainId, bytes);
      return bytes;
    } catch (error) {
      if (hasCode(error, Code.NOT_FOUND)) return 0; // not unpacked (yet): takes no room
      throw error;
    }
  }

  /** All layers of an image, whoever shares them. */
  async imageBytes(image: Image): Promise<number> {
    const sizes = await Promise.all(image.chainIds.map((chainId) => this.layerBytes(chainId)));
    return sizes.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Those layers of an image that another one has too. */
  async sharedBytes(image: Image, all: readonly Image[]): Promise<number> {
    const others = new Set(
      all.filter((other) => other.id !== image.id).flatMap((other) => other.chainIds),
    );
    const shared = image.chainIds.filter((chainId) => others.has(chainId));
    const sizes = await Promise.all(shared.map((chainId) => this.layerBytes(chainId)));
    return sizes.reduce((sum, bytes) => sum + bytes, 0);
  }
}
