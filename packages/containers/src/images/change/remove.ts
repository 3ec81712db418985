import type { ImageContext } from '../context.js';
import type { Image, ImageName } from '../index-map.js';
import { collectGarbage } from '../lease.js';
import { danglingName, deleteName, setName } from '../record.js';
import {
  canonicalString,
  familiarString,
  fullName,
  parseReference,
  storedReference,
} from '../reference.js';
import { deleteConflict, type FindUsers, untagConflict } from './conflict.js';

export interface RemovedItem {
  Untagged?: string;
  Deleted?: string;
}

/**
 * One tag, with the digests of its repository, or digests of one repository: one thing to its user.
 */
function isSingleReference(names: readonly ImageName[]): boolean {
  const real = names.filter((name) => !name.dangling);
  const tags = real.filter((name) => name.reference.digest === undefined);
  const repositories = new Set(real.map((name) => fullName(name.reference)));
  return real.length <= 1 || (tags.length <= 1 && repositories.size === 1);
}

/** DELETE /images/{name}: a name alone where others are left, else the image. */
export async function removeImage(
  context: ImageContext,
  usersOf: FindUsers,
  text: string,
  options: { force: boolean },
): Promise<RemovedItem[]> {
  const items = await removeByText(context, usersOf, text, options);
  await collectGarbage(context);
  return items;
}

async function removeByText(
  context: ImageContext,
  usersOf: FindUsers,
  text: string,
  { force }: { force: boolean },
): Promise<RemovedItem[]> {
  const image = await context.index.find(text);
  const users = await usersOf(image.id);
  const name = namedBy(image, text);
  if (!name) {
    const ignoreNames = isSingleReference(image.names);
    const conflict = deleteConflict(image, users, { force, ignoreNames });
    if (conflict) throw conflict;
    return deleteImage(context, image);
  }
  const [user] = users;
  if (!force && user && isSingleReference(image.names)) throw untagConflict(text, image, user);
  const leaving = leavingWith(image, name);
  const isLast = leaving.length === image.names.filter((entry) => !entry.dangling).length;
  // An image that a container runs from stays, without a name, even when forced.
  const stays = isLast && deleteConflict(image, users, { force, ignoreNames: true });
  if (stays) {
    const meaning = { target: name.target, manifestDigest: image.manifestDescriptor.digest };
    await setName(context, danglingName(image.id), meaning, () => name.labels);
  }
  const removed = await untag(context, image, leaving);
  return isLast && !stays ? [...removed, ...deleted(context, image)] : removed;
}

/** The name of the image that the text is, rather than an id. */
function namedBy(image: Image, text: string): ImageName | undefined {
  const bare = text.replace(/^sha256:/, '');
  if (/^[0-9a-f]{1,64}$/.test(bare) && image.id.startsWith(`sha256:${bare}`)) return undefined;
  const wanted = canonicalString(storedReference(parseReference(text)));
  return image.names.find((name) => name.name === wanted);
}

/** With the last tag of a repository its digests go too. */
function leavingWith(image: Image, name: ImageName): ImageName[] {
  if (name.reference.digest !== undefined) return [name];
  const repository = fullName(name.reference);
  const same = image.names.filter(
    (other) => other !== name && !other.dangling && fullName(other.reference) === repository,
  );
  const hasOtherTag = same.some((other) => other.reference.digest === undefined);
  return hasOtherTag ? [name] : [name, ...same];
}

async function untag(
  context: ImageContext,
  image: Image,
  names: readonly ImageName[],
): Promise<RemovedItem[]> {
  const items: RemovedItem[] = [];
  for (const { name, reference } of names) {
    await deleteName(context, name);
    items.push({ Untagged: familiarString(reference) });
    context.events.emit('untag', image.id, image.id, image.config.config.Labels ?? {});
  }
  return items;
}

/** Removes an image with all its names; its room is free after the next collection. */
export async function deleteImage(context: ImageContext, image: Image): Promise<RemovedItem[]> {
  const real = image.names.filter((name) => !name.dangling);
  const items = await untag(context, image, real);
  for (const { name, dangling } of image.names) {
    if (dangling) await deleteName(context, name);
  }
  return [...items, ...deleted(context, image)];
}

/**
 * The records of an image that is gone: its id, and its layers from the top that no other image
 * has.
 */
function deleted(context: ImageContext, image: Image): RemovedItem[] {
  const kept = new Set(context.index.current.flatMap((other) => other.chainIds));
  const layers = image.chainIds.filter((chainId) => !kept.has(chainId)).reverse();
  context.events.emit('delete', image.id, image.id, image.config.config.Labels ?? {});
  return [image.id, ...layers].map((Deleted) => ({ Deleted }));
}
