import { Code, RpcError } from '@skep/platform';
import type { ResolvedImage } from '../contract/engine.js';
import { formatPlatform, parsePlatform, platformFit } from '../images/platform.js';

/** Refuses an image for another platform than was asked for; to a client that says: pull it. */
export function checkPlatform(reference: string, wanted: string, image: ResolvedImage): void {
  const platform = parsePlatform(wanted);
  if (platformFit(platform, image) > 0) return;
  throw new RpcError(
    Code.NOT_FOUND,
    `image with reference ${reference} was found but does not provide the specified platform ` +
      `(${formatPlatform(platform)})`,
  );
}
