import type { RegistryAuth, TaskPull } from '../../contract/engine.js';
import { accessLabels, accessOf, withoutAccess } from '../access.js';
import type { ImageContext } from '../context.js';
import type { Image } from '../index-map.js';
import { type Meaning, setName } from '../record.js';
import { canonicalString, type Reference } from '../reference.js';
import { taskMark, taskUseMs } from '../task-mark.js';

export interface NamingRequest {
  /** With tag or digest. */
  reference: Reference;
  auth: RegistryAuth | undefined;
  task: TaskPull | undefined;
  /** Whether the image comes from a node that keeps it for those with a right to it. */
  restricted: boolean;
}

/**
 * The tag, and the digest it stands for today: both name the image from now on, and bear who asked for
 * it and who may have it from here. True if any is new.
 */
export async function nameImage(
  context: ImageContext,
  request: NamingRequest,
  meaning: Meaning,
  imageId: string,
): Promise<boolean> {
  const { clock, index } = context;
  const { reference, task } = request;
  const { domain, path } = reference;
  const name = canonicalString(reference);
  const before = await index.byName(name);
  const access = await newAccess(context, request, imageId);
  const digestName = canonicalString({ domain, path, digest: meaning.target.digest });
  for (const each of new Set([name, digestName])) {
    await setName(context, each, meaning, (labels) => ({
      ...access,
      ...(task && taskMark(labels, clock.now())),
    }));
  }
  return before?.id !== imageId;
}

/** What its names are to bear of who may have an image; its other names are brought in line. */
async function newAccess(context: ImageContext, request: NamingRequest, imageId: string) {
  const { auth, restricted, task } = request;
  const image = await context.index.byId(imageId);
  const before = image && accessOf(image);
  const isForAll = !auth && !restricted;
  const access = isForAll ? {} : accessLabels(before, task?.keys ?? [], context.random);
  if (!image) return access;
  for (const { name, target } of image.names) {
    const meaning = { target, manifestDigest: image.manifestDescriptor.digest };
    await setName(context, name, meaning, (labels = {}) => ({
      ...withoutAccess(labels),
      ...access,
    }));
  }
  return access;
}

/** Notes that a task asks for an image that is here, on those of its names that are no user's. */
export async function markTaskUse(context: ImageContext, image: Image): Promise<void> {
  const nowMs = context.clock.now();
  for (const { labels: before, name, target } of image.names) {
    if (taskUseMs(before) === undefined) continue;
    const meaning = { target, manifestDigest: image.manifestDescriptor.digest };
    await setName(context, name, meaning, (labels) => ({ ...labels, ...taskMark(labels, nowMs) }));
  }
}
