import type { TaskImage } from '../../contract/engine.js';
import type { ImageContext } from '../context.js';
import type { Image } from '../index-map.js';
import { collectGarbage } from '../lease.js';
import type { LayerSizes } from '../query/sizes.js';
import { taskUseMs } from '../task-mark.js';
import type { FindUsers } from './conflict.js';
import { removedBytes } from './prune.js';
import { deleteImage } from './remove.js';

/** When a task asked for an image last, ms since the epoch; undefined where a name is a user's. */
function lastTaskUseMs({ names }: Image): number | undefined {
  let last = 0;
  for (const { labels } of names) {
    const useMs = taskUseMs(labels);
    if (useMs === undefined) return undefined;
    last = Math.max(last, useMs);
  }
  return last;
}

/** Images that only tasks ever asked for, and no container was made from. */
export async function unusedTaskImages(
  context: ImageContext,
  usersOf: FindUsers,
): Promise<TaskImage[]> {
  const found: TaskImage[] = [];
  for (const image of await context.index.all()) {
    const lastUseMs = lastTaskUseMs(image);
    if (lastUseMs === undefined || (await usersOf(image.id)).length > 0) continue;
    found.push({ id: image.id, lastUseMs });
  }
  return found;
}

/**
 * Removes an image if it still is one of {@link unusedTaskImages}. Resolves with the bytes that are
 * free now; undefined when somebody needs it after all.
 */
export async function collectImage(
  context: ImageContext,
  deps: { sizes: LayerSizes; usersOf: FindUsers },
  id: string,
): Promise<number | undefined> {
  const image = await context.index.byId(id);
  if (!image || lastTaskUseMs(image) === undefined) return undefined;
  if ((await deps.usersOf(id)).length > 0) return undefined;
  const { bytes } = await removedBytes(deps.sizes, image, () => deleteImage(context, image));
  await collectGarbage(context);
  return bytes;
}
