import { Code } from '@skep/platform';
import type { ImageForOthers } from '../contract/engine.js';
import { accessOf } from './access.js';
import type { ImageContext } from './context.js';
import type { Image, ImageName } from './index-map.js';
import { hasCode, hasContent } from './ingest.js';
import { canonicalString, parseReference, type Reference, storedReference } from './reference.js';

/**
 * An image that is here whole, as another node may have it; undefined where that is not so. Layers
 * whose snapshot was here already may never have been fetched.
 */
export async function imageForOthers(
  context: ImageContext,
  text: string,
): Promise<ImageForOthers | undefined> {
  try {
    const image = await context.index.find(text);
    const name = nameMeant(image, storedReference(parseReference(text)));
    if (!name) return undefined;
    const { config, layers } = image.manifest;
    const { target } = name;
    const parts = [target, image.manifestDescriptor, config, ...layers];
    const digests = new Set(parts.map(({ digest }) => digest));
    for (const digest of digests) {
      if (!(await hasContent(context.containerd, digest))) return undefined;
    }
    return { target, digests, access: accessOf(image) };
  } catch (error) {
    if (hasCode(error, Code.NOT_FOUND) || hasCode(error, Code.INVALID_ARGUMENT)) return undefined;
    throw error;
  }
}

function nameMeant(image: Image, reference: Reference): ImageName | undefined {
  const { digest } = reference;
  const wanted = canonicalString(reference);
  const exact = image.names.find(({ name }) => name === wanted);
  return exact ?? image.names.find(({ target }) => target.digest === digest);
}
