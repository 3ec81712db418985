import { Code, RpcError } from '@skep/platform';
import type { Descriptor } from '../containerd/types.js';
import { LAYERS_MAX, MANIFESTS_MAX } from './limits.js';
import { isIndexType, isManifestType, OCI_INDEX, OCI_MANIFEST } from './media-types.js';
import { type Platform, platformFit } from './platform.js';
import { isDigest } from './reference.js';

/** What names one image: its config and its layers, bottom first. */
export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

export interface IndexEntry extends Descriptor {
  platform?: Platform;
  annotations: Record<string, string>;
}

/** A list of manifests, one a platform. */
export interface Index {
  manifests: IndexEntry[];
}

type Json = Record<string, unknown>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function corrupt(what: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, `invalid manifest: ${what}`);
}

/** JSON of an object; rejects anything else. */
export function parseJsonObject(bytes: Uint8Array, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    throw new RpcError(Code.INVALID_ARGUMENT, `${what} is not JSON`, { cause: error });
  }
  if (!isObject(value)) throw new RpcError(Code.INVALID_ARGUMENT, `${what} is not a JSON object`);
  return value;
}

function parseDescriptor(value: unknown): Descriptor {
  if (!isObject(value)) throw corrupt('a descriptor is missing');
  const { mediaType, digest, size } = value;
  if (typeof digest !== 'string' || !isDigest(digest)) throw corrupt('a digest is malformed');
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw corrupt('a size is malformed');
  return {
    mediaType: typeof mediaType === 'string' ? mediaType : '',
    digest,
    size: size as number,
  };
}

function parsePlatformField(value: unknown): Platform | undefined {
  if (!isObject(value)) return undefined;
  const { os, architecture, variant } = value;
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && variant && { variant }) };
}

function stringMap(value: unknown): Record<string, string> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );
}

/**
 * Manifest or index, by media type (of the transport or the document) or, lacking both, by its
 * fields.
 */
export function parseManifestOrIndex(
  bytes: Uint8Array,
  mediaType: string,
): { mediaType: string; manifest: Manifest } | { mediaType: string; index: Index } {
  const json = parseJsonObject(bytes, 'the manifest');
  const stated = typeof json['mediaType'] === 'string' ? json['mediaType'] : mediaType;
  const isIndex =
    isIndexType(stated) || (!isManifestType(stated) && Array.isArray(json['manifests']));
  if (isIndex) return { mediaType: stated || OCI_INDEX, index: parseIndex(json) };
  return { mediaType: stated || OCI_MANIFEST, manifest: parseManifest(json) };
}

function parseIndex(json: Json): Index {
  const list = json['manifests'];
  if (!Array.isArray(list)) throw corrupt('the index lists no manifests');
  if (list.length > MANIFESTS_MAX) throw corrupt(`more than ${MANIFESTS_MAX} manifests`);
  const manifests = list.map((entry: unknown): IndexEntry => {
    const fields = isObject(entry) ? entry : {};
    const platform = parsePlatformField(fields['platform']);
    return {
      ...parseDescriptor(entry),
      ...(platform && { platform }),
      annotations: stringMap(fields['annotations']),
    };
  });
  return { manifests };
}

function parseManifest(json: Json): Manifest {
  const { layers } = json;
  if (!Array.isArray(layers)) throw corrupt('no layers');
  if (layers.length > LAYERS_MAX) throw corrupt(`more than ${LAYERS_MAX} layers`);
  return { config: parseDescriptor(json['config']), layers: layers.map(parseDescriptor) };
}

/** The manifest of an index that suits a platform best; undefined when none runs there. */
export function choosePlatform(index: Index, wanted: Platform): IndexEntry | undefined {
  let best: IndexEntry | undefined;
  let bestFit = 0;
  for (const entry of index.manifests) {
    // Attestations stand beside the images under the platform unknown/unknown.
    const fit = entry.platform ? platformFit(wanted, entry.platform) : 0;
    if (fit > bestFit) [best, bestFit] = [entry, fit];
  }
  if (best) return best;
  const plain = index.manifests.filter((entry) => !entry.platform);
  return plain.length === 1 ? plain[0] : undefined;
}
