import { Code, RpcError } from '@skep/platform';
import type { Descriptor } from '../../containerd/types.js';
import { type ImageConfig, parseImageConfig } from '../config.js';
import type { ImageContext } from '../context.js';
import { ingestBytes } from '../ingest.js';
import type { LeaseScope } from '../lease.js';
import { CONFIG_BYTES_MAX, LAYERS_MAX, MANIFEST_BYTES_MAX, MANIFESTS_MAX } from '../limits.js';
import type { Manifest } from '../manifest.js';
import {
  DOCKER_CONFIG,
  DOCKER_LAYER,
  DOCKER_LAYER_GZIP,
  DOCKER_MANIFEST,
  OCI_LAYER_ZSTD,
} from '../media-types.js';
import type { ArchiveFile, ArchiveFiles } from './archive.js';
import { compressionOf } from './decompress.js';
import { type OciImage, readOciImages } from './oci-layout.js';

/** An image found in an archive: all parts in the content store. */
export interface FoundImage {
  descriptor: Descriptor;
  manifest: Manifest;
  config: ImageConfig;
  /** As written in the archive: `busybox:latest`. */
  names: string[];
}

interface SavedImage {
  config: string;
  repoTags: string[];
  layers: string[];
}

const LAYER_TYPE = { none: DOCKER_LAYER, gzip: DOCKER_LAYER_GZIP, zstd: OCI_LAYER_ZSTD };

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

/**
 * The images of an archive, by `manifest.json` (all of `docker save`'s formats have it) or else by
 * the `index.json` of an OCI layout.
 */
export async function findImages(
  context: ImageContext,
  scope: LeaseScope,
  files: ArchiveFiles,
): Promise<FoundImage[]> {
  const { content } = scope.containerd;
  const oci = await readOciImages(content, files);
  const saved = files.get('manifest.json');
  if (!saved) {
    if (oci.length > 0) return oci;
    throw invalid('invalid archive: it has neither manifest.json nor index.json');
  }
  const list = parseSaved(await content.readAll(saved.digest, MANIFEST_BYTES_MAX));
  const images: FoundImage[] = [];
  for (const image of list) images.push(await assemble(context, scope, files, image, oci));
  return images;
}

function parseSaved(bytes: Uint8Array): SavedImage[] {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new RpcError(Code.INVALID_ARGUMENT, 'invalid manifest.json', { cause: error });
  }
  if (!Array.isArray(json) || json.length > MANIFESTS_MAX) throw invalid('invalid manifest.json');
  const strings = (value: unknown): string[] => {
    if (value === null || value === undefined) return [];
    const isList = Array.isArray(value) && value.every((item) => typeof item === 'string');
    if (!isList || value.length > LAYERS_MAX) throw invalid('invalid manifest.json');
    return value;
  };
  return json.map((item: { Config?: unknown; RepoTags?: unknown; Layers?: unknown } | null) => {
    if (typeof item?.Config !== 'string') throw invalid('invalid manifest.json');
    return {
      config: item.Config,
      repoTags: strings(item.RepoTags),
      layers: strings(item.Layers),
    };
  });
}

function fileOf(files: ArchiveFiles, path: string): ArchiveFile {
  const file = files.get(path);
  if (!file) throw invalid(`open ${path}: no such file or directory`);
  return file;
}

async function assemble(
  context: ImageContext,
  scope: LeaseScope,
  files: ArchiveFiles,
  saved: SavedImage,
  oci: OciImage[],
): Promise<FoundImage> {
  const configFile = fileOf(files, saved.config);
  // A manifest that came along keeps its digest; otherwise one is written here.
  const given = oci.find((image) => image.manifest.config.digest === configFile.digest);
  if (given) return { ...given, names: saved.repoTags };
  const bytes = await scope.containerd.content.readAll(configFile.digest, CONFIG_BYTES_MAX);
  const config = parseImageConfig(bytes);
  const layers = saved.layers.map((path): Descriptor => {
    const { digest, size, head } = fileOf(files, path);
    return { mediaType: LAYER_TYPE[compressionOf(head)], digest, size };
  });
  if (layers.length !== config.diffIds.length) {
    const counts = `expected ${layers.length}, got ${config.diffIds.length}`;
    throw invalid(`invalid manifest, layers length mismatch: ${counts}`);
  }
  const manifest = {
    config: { mediaType: DOCKER_CONFIG, digest: configFile.digest, size: configFile.size },
    layers,
  };
  const document = { schemaVersion: 2, mediaType: DOCKER_MANIFEST, ...manifest };
  const data = Buffer.from(JSON.stringify(document));
  const digest = await ingestBytes(scope, context.clock, data);
  const descriptor = { mediaType: DOCKER_MANIFEST, digest, size: data.length };
  return { descriptor, manifest, config, names: saved.repoTags };
}
