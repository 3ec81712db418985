import type { Descriptor, ImageRecord, Labels } from '../containerd/types.js';
import type { ImageConfig } from './config.js';
import type { Manifest } from './manifest.js';
import { parseReference, type Reference } from './reference.js';

/** On an image record: which manifest of its index is here. */
export const MANIFEST_LABEL = 'skep.manifest';

/** Names that keep an image nobody has a name for; never shown. */
export const DANGLING_NAME = 'dangling.skep.invalid/image';

export interface ImageName {
  /** As in containerd's store. */
  name: string;
  reference: Reference;
  dangling: boolean;
  target: Descriptor;
  /** Which manifest of the target is meant; absent on records that others made. */
  manifestDigest: string | undefined;
  /** Of its record, without {@link MANIFEST_LABEL}. */
  labels: Labels;
  updatedNs: bigint;
}

/** An image and its names. */
export interface Image {
  /** Digest of its config. */
  id: string;
  manifestDescriptor: Descriptor;
  manifest: Manifest;
  config: ImageConfig;
  /** Snapshots of its layers, bottom first. */
  chainIds: string[];
  /** In order of name. */
  names: ImageName[];
}

export type ImageDetails = Omit<Image, 'names'>;

/** The name of a record; undefined when it is no image name (`ctr` takes any string). */
export function imageName(record: ImageRecord): ImageName | undefined {
  try {
    const reference = parseReference(record.name);
    const { name, target, updatedNs } = record;
    const { [MANIFEST_LABEL]: manifestDigest, ...labels } = record.labels;
    const dangling = name.startsWith(`${DANGLING_NAME}@`);
    return { name, reference, dangling, target, manifestDigest, labels, updatedNs };
  } catch {
    return undefined; // somebody else's record, which no reference of ours can mean
  }
}

/** Which name means which image. Pure state; `ImageIndex` keeps it in step with containerd. */
export class ImageMap {
  readonly #images = new Map<string, Image>();
  readonly #byName = new Map<string, string>();

  get all(): Image[] {
    return [...this.#images.values()];
  }

  get names(): string[] {
    return [...this.#byName.keys()];
  }

  byId(id: string): Image | undefined {
    return this.#images.get(id);
  }

  byName(name: string): Image | undefined {
    const id = this.#byName.get(name);
    return id === undefined ? undefined : this.#images.get(id);
  }

  /** What is known of a name. */
  nameOf(name: string): ImageName | undefined {
    return this.byName(name)?.names.find((entry) => entry.name === name);
  }

  set(name: ImageName, details: ImageDetails): void {
    this.delete(name.name);
    const image = this.#images.get(details.id);
    const names = [...(image?.names ?? []), name];
    names.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#images.set(details.id, { ...details, names });
    this.#byName.set(name.name, details.id);
  }

  /** Forgets a name, and the image with its last one. */
  delete(name: string): void {
    const image = this.byName(name);
    this.#byName.delete(name);
    if (!image) return;
    const names = image.names.filter((entry) => entry.name !== name);
    if (names.length === 0) this.#images.delete(image.id);
    else this.#images.set(image.id, { ...image, names });
  }
}
