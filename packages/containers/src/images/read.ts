import { Code, RpcError } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { Descriptor } from '../containerd/types.js';
import { type ImageConfig, parseImageConfig } from './config.js';
import { hasContent } from './ingest.js';
import { CONFIG_BYTES_MAX, INDEX_DEPTH_MAX, MANIFEST_BYTES_MAX } from './limits.js';
import { choosePlatform, type Index, type Manifest, parseManifestOrIndex } from './manifest.js';
import { hostPlatform } from './platform.js';

/** One image of one platform, as the content store has it. */
export interface StoredManifest {
  descriptor: Descriptor;
  manifest: Manifest;
  config: ImageConfig;
}

/** Follows a name's target to the manifest that is here (through an index) and reads its config. */
export async function readStoredManifest(
  containerd: Containerd,
  name: { target: Descriptor; manifestDigest: string | undefined },
): Promise<StoredManifest> {
  let descriptor = name.target;
  for (let depth = 0; depth <= INDEX_DEPTH_MAX; depth++) {
    const bytes = await containerd.content.readAll(descriptor.digest, MANIFEST_BYTES_MAX);
    const parsed = parseManifestOrIndex(bytes, descriptor.mediaType);
    if ('manifest' in parsed) {
      const { manifest } = parsed;
      const config = await containerd.content.readAll(manifest.config.digest, CONFIG_BYTES_MAX);
      return { descriptor, manifest, config: parseImageConfig(config) };
    }
    descriptor = await presentManifest(containerd, parsed.index, name.manifestDigest);
  }
  throw new RpcError(Code.INVALID_ARGUMENT, 'indexes are nested too deeply');
}

/** Of an index usually one platform was fetched: this host's, or the one that was asked for. */
async function presentManifest(
  containerd: Containerd,
  index: Index,
  stated: string | undefined,
): Promise<Descriptor> {
  const given = index.manifests.find((entry) => entry.digest === stated);
  const own = given ?? choosePlatform(index, hostPlatform());
  const candidates = own ? [own, ...index.manifests] : index.manifests;
  for (const candidate of candidates) {
    if (await hasContent(containerd, candidate.digest)) return candidate;
  }
  throw new RpcError(Code.NOT_FOUND, 'no manifest of the index is here');
}
