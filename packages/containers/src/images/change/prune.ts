import type { Filters } from '../../contract/engine.js';
import type { ImageContext } from '../context.js';
import type { Image } from '../index-map.js';
import { collectGarbage } from '../lease.js';
import { pruneTest } from '../query/filters.js';
import type { LayerSizes } from '../query/sizes.js';
import type { FindUsers } from './conflict.js';
import { deleteImage, type RemovedItem } from './remove.js';

/** POST /images/prune: removes images no container was made from. */
export async function pruneImages(
  context: ImageContext,
  deps: { sizes: LayerSizes; usersOf: FindUsers },
  filters: Filters,
): Promise<{ ImagesDeleted: RemovedItem[]; SpaceReclaimed: number }> {
  const test = pruneTest(filters, context.clock.now());
  const ImagesDeleted: RemovedItem[] = [];
  let SpaceReclaimed = 0;
  for (const image of (await context.index.all()).filter(test)) {
    if ((await deps.usersOf(image.id)).length > 0) continue;
    const { bytes, items } = await removedBytes(deps.sizes, image, () =>
      deleteImage(context, image),
    );
    ImagesDeleted.push(...items);
    SpaceReclaimed += bytes;
  }
  if (ImagesDeleted.length > 0) await collectGarbage(context);
  return { ImagesDeleted, SpaceReclaimed };
}

/** Removes an image, and says how much of the disk its layers had for themselves. */
export async function removedBytes(
  sizes: LayerSizes,
  image: Image,
  remove: () => Promise<RemovedItem[]>,
): Promise<{ bytes: number; items: RemovedItem[] }> {
  const layers = new Map<string, number>();
  for (const id of image.chainIds) layers.set(id, await sizes.layerBytes(id));
  const items = await remove();
  let bytes = 0;
  for (const { Deleted } of items) bytes += layers.get(Deleted ?? '') ?? 0;
  return { bytes, items };
}
