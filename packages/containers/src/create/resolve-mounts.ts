import { Code, RpcError } from '@skep/platform';
import type { EngineContext } from '../engine/context.js';
import type { MountRecord } from '../records/record.js';
import { prepareImage } from '../run/image-mounts.js';
import { checkBindSource, makeBindSource } from '../run/mount-sources.js';
import type { WantedMount } from './mount-requests.js';

/** The mounts of a container that is made, with the volumes and layers they need. */
export async function resolveMounts(
  context: EngineContext,
  containerId: string,
  wanted: readonly WantedMount[],
): Promise<MountRecord[]> {
  const records: MountRecord[] = [];
  try {
    for (const mount of wanted) records.push(await resolveMount(context, containerId, mount));
  } catch (error) {
    throw wrongInput(error);
  }
  return records;
}

async function resolveMount(
  context: EngineContext,
  containerId: string,
  mount: WantedMount,
): Promise<MountRecord> {
  const { createSource, volumeLabels, volumeDriver, volumeOptions, ...record } = mount;
  if (mount.Type === 'image') return prepareImage(context, containerId, record);
  if (mount.Type === 'bind') {
    if (createSource) makeBindSource(mount.Source);
    checkBindSource(mount.Source);
  }
  if (mount.Type !== 'volume') return record;
  const { Driver, Mountpoint, Name } = await context.volumes.create({
    ...(mount.Name ? { Name: mount.Name } : {}),
    ...(volumeDriver ? { Driver: volumeDriver } : {}),
    ...(volumeLabels ? { Labels: volumeLabels } : {}),
    ...(volumeOptions ? { DriverOpts: volumeOptions } : {}),
  });
  return { ...record, Driver, Name, Source: Mountpoint };
}

/** Clients take what is missing at creation for the image, and pull it: other things are wrong input. */
export function wrongInput(error: unknown): unknown {
  const isMissing = error instanceof RpcError && error.code === Code.NOT_FOUND;
  return isMissing ? new RpcError(Code.INVALID_ARGUMENT, error.message, { cause: error }) : error;
}
