import type { ResolvedImage } from '../contract/engine.js';
import type { Image } from './index-map.js';

/** What making a container needs of an image. */
export function resolvedImage(image: Image): ResolvedImage {
  return {
    id: image.id,
    chainId: image.chainIds.at(-1) ?? '',
    config: image.config.config,
    architecture: image.config.architecture,
    os: image.config.os,
  };
}
