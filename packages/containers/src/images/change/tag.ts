import { Code, RpcError } from '@skep/platform';
import { keptAccess } from '../access.js';
import type { ImageContext } from '../context.js';
import { setName } from '../record.js';
import { canonicalString, familiarString, parseReference, withDefaultTag } from '../reference.js';

/** POST /images/{name}/tag. */
export async function tagImage(
  context: ImageContext,
  source: string,
  repository: string,
  tag: string,
): Promise<void> {
  const image = await context.index.find(source);
  const named = parseReference(repository);
  if (named.digest !== undefined) {
    throw new RpcError(Code.INVALID_ARGUMENT, 'refusing to create a tag with a digest reference');
  }
  const withTag = tag === '' ? named : parseReference(`${canonicalString({ ...named })}:${tag}`);
  const reference = withDefaultTag(withTag);
  const target = image.names[0]?.target ?? image.manifestDescriptor;
  const meaning = { target, manifestDigest: image.manifestDescriptor.digest };
  // Another name does not make it anybody's.
  const access = keptAccess(image);
  await setName(context, canonicalString(reference), meaning, () => access);
  const labels = image.config.config.Labels ?? {};
  context.events.emit('tag', image.id, familiarString(reference), labels);
}
