import type { ImageContext } from '../context.js';
import { repoTags } from './list.js';
import type { LayerSizes } from './sizes.js';

const MS_PER_S = 1_000;

/**
 * GET /images/{name}/history: newest first; only the newest has an id, as the others are not
 * images.
 */
export async function imageHistory(
  context: ImageContext,
  sizes: LayerSizes,
  reference: string,
): Promise<Record<string, unknown>[]> {
  const image = await context.index.find(reference);
  let layer = 0;
  const entries: Record<string, unknown>[] = [];
  for (const entry of image.config.history) {
    const chainId = entry.empty_layer ? undefined : image.chainIds[layer++];
    const createdMs = Date.parse(entry.created ?? '');
    entries.push({
      Id: '<missing>',
      Created: Number.isNaN(createdMs) ? 0 : Math.floor(createdMs / MS_PER_S),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: chainId === undefined ? 0 : await sizes.layerBytes(chainId),
      Comment: entry.comment ?? '',
    });
  }
  entries.reverse();
  if (entries[0]) entries[0] = { ...entries[0], Id: image.id, Tags: repoTags(image) };
  return entries;
}
