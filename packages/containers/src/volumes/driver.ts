import type { VolumeRecord } from './volume-store.js';

/** A volume as its driver knows it. */
export interface DriverVolume {
  name: string;
  /** Host path; empty when it has none before it is mounted. */
  mountpoint: string;
  /** RFC 3339; empty when the driver does not say. */
  createdAt: string;
  /** Whatever the driver wants to be shown. */
  status?: Record<string, unknown>;
}

/** Whoever keeps the data of volumes. Everything rejects with the driver's own words. */
export interface VolumeDriver {
  readonly name: string;
  readonly scope: 'local' | 'global';
  create(name: string, options: Record<string, string>): Promise<void>;
  remove(volume: VolumeRecord): Promise<void>;
  /** Undefined when the driver has no such volume; rejects when it cannot be asked. */
  get(name: string): Promise<DriverVolume | undefined>;
  list(): Promise<DriverVolume[]>;
  /** Makes a volume usable; resolves with its host path. `mountId` is the same for the unmount. */
  mount(volume: VolumeRecord, mountId: string): Promise<string>;
  /** Takes a use of an earlier daemon over, that nothing has ended. */
  hold(volume: VolumeRecord, mountId: string): void;
  unmount(volume: VolumeRecord, mountId: string): Promise<void>;
}
