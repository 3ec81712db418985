import type { Filters } from '../../contract/engine.js';
import type { ImageContext } from '../context.js';
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
    const bytes = new Map<string, number>();
    for (const id of image.chainIds) bytes.set(id, await deps.sizes.layerBytes(id));
    const items = await deleteImage(context, image);
    ImagesDeleted.push(...items);
    for (const { Deleted } of items) SpaceReclaimed += bytes.get(Deleted ?? '') ?? 0;
  }
  if (ImagesDeleted.length > 0) await collectGarbage(context);
  return { ImagesDeleted, SpaceReclaimed };
}
