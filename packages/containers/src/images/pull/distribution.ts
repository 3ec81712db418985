import type { Descriptor } from '../../containerd/types.js';
import type { RegistryAuth } from '../../contract/engine.js';
import type { RegistryClient } from '../../registry/client.js';
import type { RepositorySession } from '../../registry/session.js';
import { readBody } from '../../registry/transport.js';
import { parseImageConfig } from '../config.js';
import { CONFIG_BYTES_MAX } from '../limits.js';
import type { Manifest } from '../manifest.js';
import type { Platform } from '../platform.js';
import { parseReference, withDefaultTag } from '../reference.js';
import { fetchDocument } from './resolve-remote.js';

export interface DistributionInspect {
  Descriptor: { mediaType: string; digest: string; size: number };
  Platforms: { architecture: string; os: string; variant?: string }[];
}

/** GET /distribution/{name}/json: what a name means at the registry, and where it runs. */
export async function inspectDistribution(
  registry: RegistryClient,
  text: string,
  auth: RegistryAuth | undefined,
): Promise<DistributionInspect> {
  const reference = withDefaultTag(parseReference(text));
  const { domain, path, tag, digest } = reference;
  return registry.withRepository({ domain, path, auth }, async (session) => {
    const { descriptor, content } = await fetchDocument(session, digest ?? tag ?? 'latest');
    const platforms =
      'index' in content
        ? content.index.manifests.flatMap((entry) => entry.platform ?? [])
        : [await platformOf(session, content.manifest)];
    return { Descriptor: descriptorOf(descriptor), Platforms: platforms };
  });
}

function descriptorOf({ mediaType, digest, size }: Descriptor) {
  return { mediaType, digest, size };
}

/** A single manifest does not say where it runs: its config does. */
async function platformOf(session: RepositorySession, manifest: Manifest): Promise<Platform> {
  const { body } = await session.getBlob(manifest.config.digest, 0);
  const answer = { status: 200, headers: {}, body };
  const { os, architecture, variant } = parseImageConfig(await readBody(answer, CONFIG_BYTES_MAX));
  return { os, architecture, ...(variant !== undefined && { variant }) };
}
