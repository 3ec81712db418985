import type { Descriptor } from '../../containerd/types.js';
import type { RegistryAuth } from '../../contract/engine.js';
import type { RegistryClient } from '../../registry/client.js';
import type { RepositorySession } from '../../registry/session.js';
import { readBody } from '../../registry/transport.js';
import { parseImageConfig } from '../config.js';
import { CONFIG_BYTES_MAX, DISTRIBUTION_KNOWN_MAX } from '../limits.js';
import type { Manifest } from '../manifest.js';
import { MANIFEST_ACCEPT } from '../media-types.js';
import type { Platform } from '../platform.js';
import { parseReference, withDefaultTag } from '../reference.js';
import { fetchDocument } from './resolve-remote.js';

export interface DistributionInspect {
  Descriptor: { mediaType: string; digest: string; size: number };
  Platforms: { architecture: string; os: string; variant?: string }[];
}

/**
 * GET /distribution/{name}/json: what a name means at the registry, and where it runs. The client asks for
 * each service of a stack; a name that was asked for before costs one `HEAD`, which public registries do not
 * count as a pull either.
 */
export class Distribution {
  readonly #registry: RegistryClient;
  /** By name, those asked for last at the end. A digest always means the same. */
  readonly #known = new Map<string, DistributionInspect>();

  constructor(registry: RegistryClient) {
    this.#registry = registry;
  }

  async inspect(text: string, auth: RegistryAuth | undefined): Promise<DistributionInspect> {
    const { domain, path, tag, digest } = withDefaultTag(parseReference(text));
    const wanted = digest ?? tag ?? 'latest';
    const name = `${domain}/${path}@${wanted}`;
    return this.#registry.withRepository({ domain, path, auth }, async (session) => {
      const known = this.#known.get(name);
      const isStill = known && (await digestOf(session, wanted)) === known.Descriptor.digest;
      const answer = isStill ? known : await fetchInspect(session, wanted);
      this.#remember(name, answer);
      return answer;
    });
  }

  #remember(name: string, answer: DistributionInspect): void {
    this.#known.delete(name);
    this.#known.set(name, answer);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= DISTRIBUTION_KNOWN_MAX) break;
      this.#known.delete(oldest);
    }
  }
}

/** Undefined where the registry does not say: fetching it tells why. */
async function digestOf(session: RepositorySession, wanted: string): Promise<string | undefined> {
  return (await session.headManifest(wanted, MANIFEST_ACCEPT))?.digest;
}

async function fetchInspect(
  session: RepositorySession,
  wanted: string,
): Promise<DistributionInspect> {
  const { descriptor, content } = await fetchDocument(session, wanted);
  const platforms =
    'index' in content
      ? content.index.manifests.flatMap((entry) => entry.platform ?? [])
      : [await platformOf(session, content.manifest)];
  return { Descriptor: descriptorOf(descriptor), Platforms: platforms };
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
