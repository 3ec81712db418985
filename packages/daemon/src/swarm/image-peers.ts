import type { ImagePeers } from '@skep/executor';
import type { SwarmImages } from '@skep/member';

/** Other nodes' images for tasks of this one, while it is in a swarm. */
export function imagePeers(images: () => SwarmImages | undefined): ImagePeers {
  return {
    find: async (image, options) => {
      const found = await images()?.find(image, options);
      if (!found) return undefined;
      const { nodeIds, restricted, target } = found;
      return {
        name: nodeIds.length === 1 ? `node ${nodeIds[0]}` : `nodes ${nodeIds.join(', ')}`,
        target,
        restricted,
        read: (digest, offset, signal) => found.read(digest, offset, signal),
        close: () => found.close(),
      };
    },
  };
}
