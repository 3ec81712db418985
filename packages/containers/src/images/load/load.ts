import type { ProgressMessage } from '../../contract/engine.js';
import type { ImageContext } from '../context.js';
import { shortId } from '../digest.js';
import { type LeaseScope, withLease } from '../lease.js';
import { danglingName, linkParts, setName, unpackAndLabel, unpackPlan } from '../record.js';
import { canonicalString, familiarString, parseReference, storedReference } from '../reference.js';
import { storeArchive } from './archive.js';
import { decompressed } from './decompress.js';
import { type FoundImage, findImages } from './images.js';

export interface LoadOptions {
  /** No messages about single layers. */
  quiet: boolean;
  say(message: ProgressMessage): void;
}

/** Puts the images of a `docker save` archive (or OCI layout, plain or gzipped) into the store. */
export async function loadArchive(
  context: ImageContext,
  archive: AsyncIterable<Uint8Array>,
  options: LoadOptions,
): Promise<void> {
  await withLease(context, async (scope) => {
    const tar = await decompressed(archive);
    const files = await storeArchive(context, scope, tar);
    // All are checked before the first gets a name: a broken archive changes nothing.
    const images = await findImages(context, scope, files);
    for (const image of images) for (const name of image.names) parseReference(name);
    for (const image of images) await loadImage(context, scope, image, options);
  });
}

async function loadImage(
  context: ImageContext,
  scope: LeaseScope,
  image: FoundImage,
  { quiet, say }: LoadOptions,
): Promise<void> {
  const { descriptor, manifest, config } = image;
  for (const step of unpackPlan(manifest, config)) {
    const { size } = step.layer;
    const progress = (current: number) => ({
      status: 'Loading layer',
      id: shortId(step.diffId),
      progressDetail: { current, total: size },
    });
    if (!quiet) say(progress(0));
    await unpackAndLabel(context, scope, step);
    if (!quiet) say(progress(size));
  }
  await linkParts(scope, descriptor.digest, manifest, config);
  const id = manifest.config.digest;
  const meaning = { target: descriptor, manifestDigest: descriptor.digest };
  for (const text of image.names) {
    const reference = storedReference(parseReference(text));
    const replaced = await setName(context, canonicalString(reference), meaning);
    const shown = familiarString(reference);
    if (replaced !== undefined) {
      const old = `renaming the old one with ID ${replaced} to empty string`;
      say({ stream: `The image ${shown} already exists, ${old}\n` });
    }
    say({ stream: `Loaded image: ${shown}\n` });
  }
  if (image.names.length === 0) {
    if (!(await context.index.byId(id))) await setName(context, danglingName(id), meaning);
    say({ stream: `Loaded image ID: ${id}\n` });
  }
  context.events.emit('load', id, id, config.config.Labels ?? {});
}
