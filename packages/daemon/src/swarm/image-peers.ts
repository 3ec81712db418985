import type { ImagePeers } from '@skep/executor';
import type { SwarmImages } from '@skep/member';
import { Code, RpcError } from '@skep/platform';
import type { SwarmMembership } from './membership.js';

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

/** What the swarm needs, and so this node should keep. Rejects while nobody can say. */
export async function neededImages(
  membership: Pick<SwarmMembership, 'localNodeState' | 'images'>,
): Promise<readonly string[]> {
  if (membership.localNodeState() === 'inactive') return [];
  const { images } = membership;
  if (images) return await images.needed();
  throw new RpcError(Code.UNAVAILABLE, 'this node is not at work in its swarm');
}
