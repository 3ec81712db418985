import { Code, errorMessage, RpcError } from '@skep/platform';
import type { VolumeInfo } from '../contract/engine.js';
import type { DriverVolume, VolumeDriver } from './driver.js';
import { LOCAL_DRIVER } from './local-driver.js';
import type { VolumeRecord } from './volume-store.js';

/** Name of the driver that keeps a volume. */
export function driverOf({ driver }: VolumeRecord): string {
  return driver ?? LOCAL_DRIVER;
}

/** A volume of a plugin that nobody made or used here. */
export function unknownVolume(
  { createdAt, name }: DriverVolume,
  driver: VolumeDriver,
): VolumeRecord {
  return { name, driver: driver.name, createdAt, labels: null, options: null };
}

/** A volume as clients see it; without what its driver says of it where that cannot be asked. */
export function volumeInfo(
  record: VolumeRecord,
  found?: DriverVolume,
  scope: VolumeInfo['Scope'] = 'local',
): VolumeInfo {
  return {
    Name: record.name,
    Driver: driverOf(record),
    Mountpoint: found?.mountpoint ?? '',
    CreatedAt: found?.createdAt || record.createdAt,
    Labels: record.labels,
    Options: record.options,
    Scope: scope,
    ...(found?.status ? { Status: found.status } : {}),
  };
}

/** Says in Docker's way what was being done, and to which volume. */
export async function naming<T>(what: string, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const code = error instanceof RpcError ? error.code : Code.INTERNAL;
    throw new RpcError(code, `${what} ${name}: ${errorMessage(error)}`, { cause: error });
  }
}

export function noSuchVolume(name: string): RpcError {
  return new RpcError(Code.NOT_FOUND, `get ${name}: no such volume`);
}

export function conflict(message: string): RpcError {
  return new RpcError(Code.ALREADY_EXISTS, message);
}
