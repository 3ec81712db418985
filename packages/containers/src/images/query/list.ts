import type { Filters, ImageSummary } from '../../contract/engine.js';
import type { ImageContext } from '../context.js';
import type { Image, ImageName } from '../index-map.js';
import { familiarString } from '../reference.js';
import { createdMs, listTest, nameTest } from './filters.js';
import type { LayerSizes } from './sizes.js';

const MS_PER_S = 1_000;

/** `busybox:latest`, … */
export function repoTags({ names }: Pick<Image, 'names'>): string[] {
  return shownNames(names, (digest) => digest === undefined);
}

/** `busybox@sha256:…`, … */
export function repoDigests({ names }: Pick<Image, 'names'>): string[] {
  return shownNames(names, (digest) => digest !== undefined);
}

function shownNames(
  names: readonly ImageName[],
  takes: (digest: string | undefined) => boolean,
): string[] {
  return names
    .filter(({ dangling, reference }) => !dangling && takes(reference.digest))
    .map(({ reference }) => familiarString(reference));
}

/** GET /images/json: newest first. */
export async function listImages(
  context: ImageContext,
  sizes: LayerSizes,
  options: { filters: Filters; sharedSize: boolean },
): Promise<ImageSummary[]> {
  const all = await context.index.all();
  const find = (reference: string) => context.index.find(reference);
  const nowMs = context.clock.now();
  const test = await listTest(options.filters, { find, nowMs });
  const isShown = nameTest(options.filters);
  const images = all.filter(test).sort((a, b) => createdMs(b) - createdMs(a));
  return Promise.all(
    images.map(async (image): Promise<ImageSummary> => {
      const names = image.names.filter(isShown);
      const size = await sizes.imageBytes(image);
      return {
        Id: image.id,
        ParentId: '',
        RepoTags: repoTags({ names }),
        RepoDigests: repoDigests({ names }),
        Created: Math.floor(createdMs(image) / MS_PER_S),
        Size: size,
        SharedSize: options.sharedSize ? await sizes.sharedBytes(image, all) : -1,
        VirtualSize: size,
        Labels: image.config.config.Labels ?? null,
        Containers: -1,
      };
    }),
  );
}
