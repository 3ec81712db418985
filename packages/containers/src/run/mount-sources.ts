import { existsSync, mkdirSync } from 'node:fs';
import { Code, RpcError } from '@skep/platform';
import type { Container } from '../engine/container.js';
import type { EngineContext } from '../engine/context.js';
import { scopedPath } from '../linux/scoped-path.js';
import type { MountRecord } from '../records/record.js';

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
    return mount.Source;
  }
  const name = mount.Name ?? '';
  const path = await context.volumes.acquire(name, container.id);
  container.heldVolumes.push(name);
  if (!mount.subpath) return path;
  const inside = scopedPath(path, mount.subpath);
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

export function makeBindSource(source: string): void {
  mkdirSync(source, { recursive: true, mode: 0o755 });
}

export function releaseVolumes(context: EngineContext, container: Container): void {
  for (const name of container.heldVolumes.splice(0)) context.volumes.release(name, container.id);
}
