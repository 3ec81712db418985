import type { CompleteServiceSpec } from '@skep/wire';
import type { FastifyRequest } from 'fastify';
import { registryAuth } from '../../routes/images.js';
import { compareVersions } from '../../server/versions.js';
import type { SwarmDependencies } from './dependencies.js';

/** From this version on clients ask the registry themselves, or leave it on purpose. */
const CLIENTS_PIN_SINCE = '1.30';

/**
 * Names the image of an old client's service by the digest it has at its registry now, as dockerd does for
 * them. Resolves with the warnings to answer: a registry that does not say is none but that.
 */
export async function pinImage(
  { images }: Pick<SwarmDependencies, 'images'>,
  spec: CompleteServiceSpec,
  request: FastifyRequest,
): Promise<string[] | null> {
  const { runtime } = spec.task;
  const isOld = compareVersions(request.apiVersion, CLIENTS_PIN_SINCE) < 0;
  if (!isOld || runtime.case !== 'container') return null;
  const { image } = runtime.value;
  try {
    runtime.value.image = await images.pinned(image, registryAuth(request));
    return null;
  } catch {
    return [
      [
        `image ${image} could not be accessed on a registry to record`,
        `its digest. Each node will access ${image} independently,`,
        'possibly leading to different nodes running different',
        'versions of the image.\n',
      ].join('\n'),
    ];
  }
}
