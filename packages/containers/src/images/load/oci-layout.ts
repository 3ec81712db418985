import type { ContentApi } from '../../containerd/containerd.js';
import { parseImageConfig } from '../config.js';
import { CONFIG_BYTES_MAX, INDEX_DEPTH_MAX, MANIFEST_BYTES_MAX } from '../limits.js';
import { choosePlatform, type Index, type IndexEntry, parseManifestOrIndex } from '../manifest.js';
import { OCI_INDEX } from '../media-types.js';
import { hostPlatform } from '../platform.js';
import type { ArchiveFiles } from './archive.js';
import type { FoundImage } from './images.js';

export type OciImage = FoundImage;

/** Where exporters write an image's full name, best first. */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/** The images of an OCI layout; none when the archive is no such thing. */
export async function readOciImages(content: ContentApi, files: ArchiveFiles): Promise<OciImage[]> {
  const indexFile = files.get('index.json');
  if (!indexFile) return [];
  const bytes = await content.readAll(indexFile.digest, MANIFEST_BYTES_MAX);
  const parsed = parseManifestOrIndex(bytes, OCI_INDEX);
  if (!('index' in parsed)) return [];
  const images = new Map<string, OciImage>();
  for (const entry of parsed.index.manifests) {
    const image = await readEntry(content, files, entry, 0);
    if (!image) continue;
    // One manifest under several names stands in the index once for each.
    const same = images.get(image.descriptor.digest);
    if (same) same.names.push(...image.names);
    else images.set(image.descriptor.digest, image);
  }
  return [...images.values()];
}

async function readEntry(
  content: ContentApi,
  files: ArchiveFiles,
  entry: IndexEntry,
  depth: number,
): Promise<OciImage | undefined> {
  const file = files.get(blobPath(entry.digest));
  if (!file || depth > INDEX_DEPTH_MAX) return undefined;
  const bytes = await content.readAll(file.digest, MANIFEST_BYTES_MAX);
  const parsed = parseManifestOrIndex(bytes, entry.mediaType);
  if ('index' in parsed) return readNested(content, files, { entry, index: parsed.index, depth });
  const { manifest } = parsed;
  const configFile = files.get(blobPath(manifest.config.digest));
  const complete = manifest.layers.every((layer) => files.get(blobPath(layer.digest)));
  if (!configFile || !complete) return undefined;
  const config = parseImageConfig(await content.readAll(configFile.digest, CONFIG_BYTES_MAX));
  // Attestations look like images, and have no layers that unpack.
  if (config.diffIds.length !== manifest.layers.length) return undefined;
  const { digest, size } = entry;
  const descriptor = { mediaType: parsed.mediaType, digest, size };
  return { descriptor, manifest, config, names: namesOf(entry) };
}

/** An image for several platforms: this host's, or else the first that is whole. */
async function readNested(
  content: ContentApi,
  files: ArchiveFiles,
  { entry, index, depth }: { entry: IndexEntry; index: Index; depth: number },
): Promise<OciImage | undefined> {
  const own = choosePlatform(index, hostPlatform());
  for (const candidate of own ? [own, ...index.manifests] : index.manifests) {
    const image = await readEntry(content, files, candidate, depth + 1);
    if (image) return { ...image, names: [...namesOf(entry), ...image.names] };
  }
  return undefined;
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** A bare tag (`latest`) is not a name: only whole references count. */
function namesOf(entry: IndexEntry): string[] {
  for (const key of NAME_ANNOTATIONS) {
    const name = entry.annotations[key];
    if (name !== undefined && /[/:]/.test(name)) return [name];
  }
  return [];
}
