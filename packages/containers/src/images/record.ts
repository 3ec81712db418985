import { isDeepStrictEqual } from 'node:util';
import { Code } from '@skep/platform';
import type { Descriptor, Labels } from '../containerd/types.js';
import type { ImageConfig } from './config.js';
import type { ImageContext } from './context.js';
import { chainIds } from './digest.js';
import { configLabels, layerLabels, manifestLabels } from './gc-labels.js';
import { DANGLING_NAME, MANIFEST_LABEL } from './index-map.js';
import { hasCode } from './ingest.js';
import type { LeaseScope } from './lease.js';
import type { Manifest } from './manifest.js';
import { type UnpackLayer, unpackLayer } from './unpack.js';

/** What a name stands for: an index or manifest, and the one manifest of it that is here. */
export interface Meaning {
  target: Descriptor;
  manifestDigest: string;
}

/** The steps from an image's layers to its snapshots, bottom first. */
export function unpackPlan(manifest: Manifest, config: ImageConfig): UnpackLayer[] {
  const chain = chainIds(config.diffIds);
  return manifest.layers.map((layer, index) => ({
    layer,
    diffId: config.diffIds[index] as string,
    chainId: chain[index] as string,
    parent: chain[index - 1] ?? '',
  }));
}

/** Unpacks one layer and notes on its content what it unpacks to. */
export async function unpackAndLabel(
  context: ImageContext,
  scope: LeaseScope,
  step: UnpackLayer,
): Promise<void> {
  await unpackLayer(context, scope, step);
  try {
    await scope.containerd.content.setLabels(step.layer.digest, layerLabels(step.diffId));
  } catch (error) {
    // A layer whose snapshot was here already is never fetched.
    if (!hasCode(error, Code.NOT_FOUND)) throw error;
  }
}

/** Ties manifest, config and snapshots together, so that a name on the manifest keeps them all. */
export async function linkParts(
  scope: LeaseScope,
  manifestDigest: string,
  manifest: Manifest,
  config: ImageConfig,
): Promise<void> {
  const { content, snapshots } = scope.containerd;
  const top = chainIds(config.diffIds).at(-1);
  const labels = configLabels(snapshots.snapshotter, top);
  if (top !== undefined) await content.setLabels(manifest.config.digest, labels);
  await content.setLabels(manifestDigest, manifestLabels(manifest));
}

/**
 * Gives an image a name in containerd's store, taking it from whatever had it. An image that loses
 * its last name that way stays, without a name, until it is removed or pruned. Resolves with the id
 * of the image that lost the name, if one did. `labelsOf` says what the name bears, from what it bore
 * before, if it was there.
 */
export function setName(
  context: ImageContext,
  name: string,
  meaning: Meaning,
  labelsOf: (before: Labels | undefined) => Labels = () => ({}),
): Promise<string | undefined> {
  return context.mutex.run(`name ${name}`, async () => {
    const { index } = context;
    const before = await index.byName(name);
    const old = before?.names.find((entry) => entry.name === name);
    const labels = labelsOf(old?.labels);
    const sameTarget = old?.target.digest === meaning.target.digest;
    const sameManifest = before?.manifestDescriptor.digest === meaning.manifestDigest;
    if (sameTarget && sameManifest && isDeepStrictEqual(old?.labels, labels)) return undefined;
    if (before && old && before.names.length === 1 && !(sameTarget && sameManifest)) {
      const { target, manifestDescriptor } = { ...before, ...old };
      const stays = { target, manifestDigest: manifestDescriptor.digest };
      await putName(context, danglingName(before.id), stays, old.labels);
    }
    await putName(context, name, meaning, labels);
    const after = await index.byName(name);
    if (after && !name.startsWith(DANGLING_NAME)) await dropDangling(context, after.id);
    return before && before.id !== after?.id ? before.id : undefined;
  });
}

export function danglingName(imageId: string): string {
  return `${DANGLING_NAME}@${imageId}`;
}

/** An image with a real name needs no stand-in. */
async function dropDangling(context: ImageContext, imageId: string): Promise<void> {
  const image = await context.index.byId(imageId);
  const standIns = image?.names.filter((entry) => entry.dangling) ?? [];
  if (standIns.length === 0 || standIns.length === image?.names.length) return;
  for (const { name } of standIns) await deleteName(context, name);
}

async function putName(
  context: ImageContext,
  name: string,
  meaning: Meaning,
  others: Labels,
): Promise<void> {
  const { images } = context.containerd;
  const { target, manifestDigest } = meaning;
  const labels = { ...others, [MANIFEST_LABEL]: manifestDigest };
  try {
    await images.create({ name, target, labels });
  } catch (error) {
    if (!hasCode(error, Code.ALREADY_EXISTS)) throw error;
    await images.update({ name, target, labels });
  }
  await context.index.refresh(name);
}

/** Removes a name; no error when it is gone already. */
export async function deleteName(context: ImageContext, name: string): Promise<void> {
  try {
    await context.containerd.images.delete(name);
  } catch (error) {
    if (!hasCode(error, Code.NOT_FOUND)) throw error;
  }
  await context.index.refresh(name);
}
