import { Code, RpcError } from '@skep/platform';
import type { Descriptor } from '../../containerd/types.js';
import { RegistryError } from '../../registry/errors.js';
import { sha256Digest } from '../digest.js';
import { INDEX_DEPTH_MAX } from '../limits.js';
import { choosePlatform, type Index, type Manifest, parseManifestOrIndex } from '../manifest.js';
import { isSchema1Type, MANIFEST_ACCEPT } from '../media-types.js';
import { formatPlatform, type Platform } from '../platform.js';
import { familiarString, type Reference } from '../reference.js';
import type { PullSession } from './session.js';

/** A document as fetched, checked against its digest. */
export interface Document {
  descriptor: Descriptor;
  data: Buffer;
}

/** What a reference means at the registry, for one platform. */
export interface RemoteImage {
  /** What the tag or digest names: an index, or the manifest itself. */
  target: Descriptor;
  /** Indexes on the way to the manifest, outermost first. */
  indexes: (Document & { chosen: string })[];
  manifest: Document;
  parsed: Manifest;
}

/** Fetches a manifest or index and checks that it is what was asked for. */
export async function fetchDocument(
  session: PullSession,
  tagOrDigest: string,
): Promise<Document & { content: ReturnType<typeof parseManifestOrIndex> }> {
  const { data, mediaType } = await session.getManifest(tagOrDigest, MANIFEST_ACCEPT);
  const digest = sha256Digest(data);
  if (tagOrDigest.startsWith('sha256:') && tagOrDigest !== digest) {
    const message = `manifest verification failed for digest ${tagOrDigest}`;
    throw new RegistryError('invalid', message);
  }
  if (isSchema1Type(mediaType)) {
    const what = 'Docker Image manifest version 2, schema 1';
    throw new RegistryError('invalid', `${what} is not supported: push the image anew`);
  }
  const content = parseManifestOrIndex(data, mediaType);
  return { descriptor: { mediaType: content.mediaType, digest, size: data.length }, data, content };
}

/** Follows a reference through indexes to the manifest for a platform. */
export async function resolveRemote(
  session: PullSession,
  reference: Reference,
  platform: Platform,
): Promise<RemoteImage> {
  const indexes: RemoteImage['indexes'] = [];
  let next = reference.digest ?? reference.tag ?? 'latest';
  for (let depth = 0; depth <= INDEX_DEPTH_MAX; depth++) {
    const { descriptor, data, content } = await fetchDocument(session, next);
    if ('manifest' in content) {
      const target = indexes[0]?.descriptor ?? descriptor;
      return { target, indexes, manifest: { descriptor, data }, parsed: content.manifest };
    }
    next = choose(content.index, platform, reference);
    indexes.push({ descriptor, data, chosen: next });
  }
  throw new RegistryError('invalid', 'indexes are nested too deeply');
}

function choose(index: Index, platform: Platform, reference: Reference): string {
  const chosen = choosePlatform(index, platform);
  if (chosen) return chosen.digest;
  const wanted = formatPlatform(platform);
  throw new RpcError(
    Code.NOT_FOUND,
    `no matching manifest for ${wanted} in the manifest list entries: ${familiarString(reference)}`,
  );
}
