import { createHash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { Code, RpcError } from '@skep/platform';
import type { Container } from '../engine/container.js';
import type { EngineContext } from '../engine/context.js';
import { scopedPath } from '../linux/scoped-path.js';
import type { MountRecord } from '../records/record.js';
import type { VolumeUse } from '../volumes/volumes.js';
import { mountImage } from './image-mounts.js';
import { checkPropagation } from './propagation.js';

/**
 * Where each mount of a container stands on the host now; volumes are held until {@link
 * releaseVolumes}.
 */
export async function mountSources(
  context: EngineContext,
  container: Container,
): Promise<string[]> {
  const sources: string[] = [];
  for (const mount of container.record.mounts) {
    sources.push(await mountSource(context, container, mount));
  }
  return sources;
}

async function mountSource(
  context: EngineContext,
  container: Container,
  mount: MountRecord,
): Promise<string> {
  if (mount.Type === 'tmpfs') return '';
  if (mount.Type === 'bind') {
    checkBindSource(mount.Source);
    checkPropagation(mount);
    return mount.Source;
  }
  if (mount.Type === 'image') {
    return subpathOf(mount, mountImage(context, container.id, mount));
  }
  const use = volumeUse(container.id, mount);
  const path = await context.volumes.acquire(use, useAttributes(container, mount));
  (container.status.volumeUses ??= []).push(use);
  // Where it is can change with each mount of a plugin.
  mount.Source = path;
  return subpathOf(mount, path);
}

/** The part of a volume or image that is meant; no link in it leads out. */
function subpathOf({ subpath }: MountRecord, path: string): string {
  if (!subpath) return path;
  const inside = scopedPath(path, subpath);
  if (existsSync(inside)) return inside;
  throw new RpcError(
    Code.INVALID_ARGUMENT,
    `cannot access path ${inside}: no such file or directory`,
  );
}

/** Refuses a bind whose source is not there. */
export function checkBindSource(source: string): void {
  if (existsSync(source)) return;
  throw new RpcError(
    Code.INVALID_ARGUMENT,
    `invalid mount config for type "bind": bind source path does not exist: ${source}`,
  );
}

/** Makes a directory where nothing is; what is there may be a file as well. */
export function makeBindSource(source: string): void {
  if (!existsSync(source)) mkdirSync(source, { recursive: true, mode: 0o755 });
}

/** The use of a volume by one mount of a container; never used by two at a time. */
export function volumeUse(containerId: string, { Destination, Name }: MountRecord): VolumeUse {
  const mountId = createHash('sha256').update(`${containerId}:${Destination}`).digest('hex');
  return { volume: Name ?? '', mountId };
}

function useAttributes(container: Container, mount: MountRecord): Record<string, string> {
  return {
    container: container.id,
    destination: mount.Destination,
    'read/write': String(mount.RW),
    propagation: mount.Propagation,
  };
}

/** Lets go of the volumes of a run, in the order opposite to that in which they were taken. */
export async function releaseVolumes(context: EngineContext, container: Container): Promise<void> {
  const uses = container.status.volumeUses ?? [];
  delete container.status.volumeUses;
  for (const use of uses.reverse()) {
    await context.volumes.release(use, { container: container.id });
  }
}
