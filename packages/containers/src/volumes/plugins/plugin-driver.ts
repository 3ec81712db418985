import type { Logger } from '@skep/platform';
import type { DriverVolume, VolumeDriver } from '../driver.js';
import type { VolumeRecord } from '../volume-store.js';
import { type PluginClient, PluginRefusal } from './client.js';
import {
  PLUGIN_QUERY_TIMEOUT_MS,
  PLUGIN_SCAN_TIMEOUT_MS,
  PLUGIN_WORK_TIMEOUT_MS,
} from './limits.js';

const WORK = { timeoutMs: PLUGIN_WORK_TIMEOUT_MS, retry: true };
const QUERY = { timeoutMs: PLUGIN_QUERY_TIMEOUT_MS, retry: true };
/** A dead plugin must not hold up the list of all others. */
const LIST = { timeoutMs: PLUGIN_SCAN_TIMEOUT_MS, retry: false };

interface VolumeJson {
  Name?: string;
  Mountpoint?: string;
  CreatedAt?: string;
  Status?: Record<string, unknown>;
}

/** Volumes that a plugin keeps, by `VolumeDriver.*` of Docker's protocol. */
export class PluginDriver implements VolumeDriver {
  readonly name: string;
  readonly scope: 'local' | 'global';
  readonly #client: PluginClient;
  readonly #logger: Logger;

  constructor(options: {
    name: string;
    scope: 'local' | 'global';
    client: PluginClient;
    logger: Logger;
  }) {
    this.name = options.name;
    this.scope = options.scope;
    this.#client = options.client;
    this.#logger = options.logger;
  }

  async create(name: string, options: Record<string, string>): Promise<void> {
    await this.#client.call('VolumeDriver.Create', { Name: name, Opts: options }, WORK);
  }

  async remove({ name }: VolumeRecord): Promise<void> {
    await this.#client.call('VolumeDriver.Remove', { Name: name }, WORK);
  }

  /** Whatever a plugin refuses to say is, as for Docker, that it has no such volume. */
  async get(name: string): Promise<DriverVolume | undefined> {
    try {
      const answer = await this.#client.call('VolumeDriver.Get', { Name: name }, QUERY);
      const { Volume } = answer as { Volume?: VolumeJson | null };
      return Volume ? fromJson({ ...Volume, Name: name }) : undefined;
    } catch (error) {
      if (!(error instanceof PluginRefusal)) throw error;
      this.#logger.debug({ driver: this.name, volume: name, error: error.message }, 'no volume');
      return undefined;
    }
  }

  async list(): Promise<DriverVolume[]> {
    const answer = await this.#client.call('VolumeDriver.List', {}, LIST);
    const { Volumes } = answer as { Volumes?: VolumeJson[] | null };
    return (Volumes ?? []).filter(({ Name }) => Name).map(fromJson);
  }

  /** Where a plugin does not say it when it mounts, it does when it is asked for the path. */
  async mount({ name }: VolumeRecord, mountId: string): Promise<string> {
    const request = { Name: name, ID: mountId };
    const mounted = await this.#client.call('VolumeDriver.Mount', request, WORK);
    const path = mountpointOf(mounted);
    if (path) return path;
    return mountpointOf(await this.#client.call('VolumeDriver.Path', { Name: name }, QUERY));
  }

  hold(): void {
    // The plugin counts, by the ids of mounts.
  }

  async unmount({ name }: VolumeRecord, mountId: string): Promise<void> {
    await this.#client.call('VolumeDriver.Unmount', { Name: name, ID: mountId }, WORK);
  }
}

function mountpointOf(answer: object): string {
  const { Mountpoint } = answer as { Mountpoint?: string };
  return Mountpoint ?? '';
}

function fromJson({ CreatedAt, Mountpoint, Name, Status }: VolumeJson): DriverVolume {
  return {
    name: Name ?? '',
    mountpoint: Mountpoint ?? '',
    createdAt: CreatedAt ?? '',
    ...(Status ? { status: Status } : {}),
  };
}
