import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Code, errorMessage, RpcError } from '@skep/platform';
import type { EngineContext } from '../engine/context.js';
import type { MountRecord } from '../records/record.js';
import { layerLabels } from './layer-labels.js';

/** What a container mounts of other images: a writable layer of its own over each, gone with it. */

/** Makes the layer of an image mount. Rejects NOT_FOUND `No such image: …`. */
export async function prepareImage(
  context: EngineContext,
  containerId: string,
  mount: MountRecord,
): Promise<MountRecord> {
  const image = await context.images.resolve(mount.Source);
  const key = layerKey(containerId, mount);
  const labels = layerLabels(containerId, context.clock.now());
  const layer = await context.containerd.snapshots.prepare(key, image.chainId, labels);
  return { ...mount, layer };
}

/** Mounts an image; resolves with where. */
export function mountImage(context: EngineContext, id: string, mount: MountRecord): string {
  const target = mountPoint(context, id, mount);
  mkdirSync(target, { recursive: true, mode: 0o710 });
  for (const part of mount.layer ?? []) context.kernel.mount(part, target);
  return target;
}

export function unmountImages(
  context: EngineContext,
  id: string,
  mounts: readonly MountRecord[],
): void {
  for (const mount of mounts) {
    if (mount.layer) context.kernel.unmount(mountPoint(context, id, mount));
  }
}

/** Removes the layers; what is missing is no error. */
export async function removeImageLayers(
  context: EngineContext,
  id: string,
  mounts: readonly MountRecord[],
): Promise<void> {
  for (const mount of mounts) {
    if (!mount.layer) continue;
    try {
      await context.containerd.snapshots.remove(layerKey(id, mount));
    } catch (error) {
      if (error instanceof RpcError && error.code === Code.NOT_FOUND) continue;
      context.logger.warn({ id, error: errorMessage(error) }, 'layer of an image not removed');
    }
  }
}

/** Begins with the container's id, by which layers without a container are found. */
function layerKey(id: string, { Destination }: MountRecord): string {
  return `${id}-${createHash('sha256').update(Destination).digest('hex').slice(0, 12)}`;
}

function mountPoint(context: EngineContext, id: string, mount: MountRecord): string {
  return join(context.paths.images(id), layerKey(id, mount));
}
