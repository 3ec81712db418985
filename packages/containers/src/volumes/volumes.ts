import { type Clock, Code, type Random, RpcError } from '@skep/platform';
import type { Filters, VolumeEngine, VolumeInfo } from '../contract/engine.js';
import { EventBus } from '../engine/events.js';
import { matchLabels, refuseUnknownFilters } from '../engine/filters.js';
import { USAGE_TIMEOUT_MS } from '../limits.js';
import { isoTime } from '../records/record.js';
import { checkDriverOptions, type LocalMounts } from './local-mount.js';
import { treeBytes } from './usage.js';
import type { VolumeRecord, VolumeStore } from './volume-store.js';

const NAME_CHARACTERS_MIN = 2;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
/** How Docker marks a volume that nobody named. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';
const DRIVER = 'local';
const LIST_FILTERS = ['dangling', 'driver', 'label', 'name'];
const PRUNE_FILTERS = ['all', 'label', 'label!'];

export interface VolumesOptions {
  store: VolumeStore;
  mounts: LocalMounts;
  clock: Clock;
  random: Random;
  /** Ids of the containers, running or not, that mount a volume. */
  usersOf: (name: string) => string[];
}

/** Volumes of the `local` driver. */
export class Volumes implements VolumeEngine {
  readonly #options: VolumesOptions;
  readonly #events: EventBus;

  constructor(options: VolumesOptions) {
    this.#options = options;
    this.#events = new EventBus(options.clock);
  }

  onEvent(listener: Parameters<VolumeEngine['onEvent']>[0]): () => void {
    return this.#events.on(listener);
  }

  async create(request: Parameters<VolumeEngine['create']>[0]): Promise<VolumeInfo> {
    const name = request.Name || Buffer.from(this.#options.random.bytes(32)).toString('hex');
    const driver = request.Driver || DRIVER;
    if (driver !== DRIVER && driver !== 'default') {
      throw new RpcError(
        Code.NOT_FOUND,
        `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
      );
    }
    const existing = this.#options.store.get(name);
    if (existing) return this.#info(existing);
    if (name.length < NAME_CHARACTERS_MIN) {
      const text = 'volume name is too short, names should be at least two alphanumeric characters';
      throw new RpcError(Code.INVALID_ARGUMENT, `create ${name}: ${text}`);
    }
    if (!NAME.test(name)) {
      throw new RpcError(
        Code.INVALID_ARGUMENT,
        `create ${name}: "${name}" includes invalid characters for a local volume name, only ` +
          '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ' +
          'If you intended to pass a host directory, use absolute path',
      );
    }
    const options = request.DriverOpts ?? {};
    checkDriverOptions(name, options);
    const anonymous: Record<string, string> = request.Name ? {} : { [ANONYMOUS_LABEL]: '' };
    const record: VolumeRecord = {
      name,
      createdAt: isoTime(this.#options.clock.now()).replace(/\.\d+Z$/, 'Z'),
      labels: request.Labels || !request.Name ? { ...request.Labels, ...anonymous } : null,
      options: Object.keys(options).length > 0 ? options : null,
    };
    this.#options.store.create(record);
    this.#emit('create', name);
    return this.#info(record);
  }

  async list(filters: Filters): Promise<VolumeInfo[]> {
    refuseUnknownFilters(filters, LIST_FILTERS);
    return this.#options.store
      .all()
      .filter((volume) => this.#matches(volume, filters))
      .map((volume) => this.#info(volume));
  }

  #matches(volume: VolumeRecord, filters: Filters): boolean {
    const { driver, name, label, dangling } = filters;
    if (driver && !driver.includes(DRIVER)) return false;
    if (name && !name.some((wanted) => volume.name.includes(wanted))) return false;
    if (label && !matchLabels(volume.labels ?? {}, label)) return false;
    if (!dangling) return true;
    const unused = this.#options.usersOf(volume.name).length === 0;
    return dangling.some((value) => isTrue(value) === unused);
  }

  async inspect(name: string): Promise<VolumeInfo> {
    return this.#info(this.#find(name));
  }

  async remove(name: string, force: boolean): Promise<void> {
    if (!this.#options.store.get(name) && force) return;
    const volume = this.#find(name);
    const users = this.#options.usersOf(name);
    if (users.length > 0) {
      throw new RpcError(
        Code.ALREADY_EXISTS,
        `remove ${name}: volume is in use - [${users.join(', ')}]`,
      );
    }
    this.#delete(volume);
  }

  #delete(volume: VolumeRecord): void {
    this.#options.mounts.detach(volume);
    this.#options.store.remove(volume.name);
    this.#emit('destroy', volume.name);
  }

  async prune(filters: Filters): ReturnType<VolumeEngine['prune']> {
    refuseUnknownFilters(filters, PRUNE_FILTERS);
    const all = (filters['all'] ?? []).some(isTrue);
    const candidates = this.#options.store.all().filter((volume) => {
      const labels = volume.labels ?? {};
      if (!all && !(ANONYMOUS_LABEL in labels)) return false;
      if (filters['label'] && !matchLabels(labels, filters['label'])) return false;
      const excluded = filters['label!'];
      if (excluded?.some((label) => matchLabels(labels, [label]))) return false;
      return this.#options.usersOf(volume.name).length === 0;
    });
    const sizes = await this.#sizes(candidates.map((volume) => volume.name));
    const report = { VolumesDeleted: [] as string[], SpaceReclaimed: 0 };
    for (const volume of candidates) {
      const { name } = volume;
      if (this.#options.usersOf(name).length > 0) continue; // taken while sizes were counted
      this.#delete(volume);
      report.VolumesDeleted.push(name);
      report.SpaceReclaimed += Math.max(0, sizes.get(name) ?? 0);
    }
    this.#events.emit('volume', 'prune', '', { reclaimed: String(report.SpaceReclaimed) });
    return report;
  }

  /** All volumes with `UsageData`, for `system df`; a size that takes too long is -1. */
  async usage(): Promise<VolumeInfo[]> {
    const volumes = this.#options.store.all();
    const sizes = await this.#sizes(volumes.map((volume) => volume.name));
    return volumes.map((volume) => ({
      ...this.#info(volume),
      UsageData: {
        Size: sizes.get(volume.name) ?? -1,
        RefCount: this.#options.usersOf(volume.name).length,
      },
    }));
  }

  async #sizes(names: string[]): Promise<Map<string, number>> {
    const { clock, store } = this.#options;
    const deadlineMs = clock.monotonic() + USAGE_TIMEOUT_MS;
    const sizes = new Map<string, number>();
    for (const name of names) {
      sizes.set(name, await treeBytes(store.dataPath(name), clock, deadlineMs));
    }
    return sizes;
  }

  /** Makes a volume usable for a container that starts: resolves with the path of its data. */
  async acquire(name: string, containerId: string): Promise<string> {
    const volume = this.#find(name);
    await this.#options.mounts.acquire(volume, containerId);
    this.#emit('mount', name, { container: containerId });
    return this.#options.store.dataPath(name);
  }

  release(name: string, containerId: string): void {
    this.#options.mounts.release(name, containerId);
    if (this.#options.store.get(name)) this.#emit('unmount', name, { container: containerId });
  }

  dataPath(name: string): string {
    return this.#options.store.dataPath(name);
  }

  #find(name: string): VolumeRecord {
    const volume = this.#options.store.get(name);
    if (!volume) throw new RpcError(Code.NOT_FOUND, `get ${name}: no such volume`);
    return volume;
  }

  #info(volume: VolumeRecord): VolumeInfo {
    return {
      Name: volume.name,
      Driver: DRIVER,
      Mountpoint: this.#options.store.dataPath(volume.name),
      CreatedAt: volume.createdAt,
      Labels: volume.labels,
      Options: volume.options,
      Scope: 'local',
    };
  }

  #emit(action: string, name: string, attributes: Record<string, string> = {}): void {
    this.#events.emit('volume', action, name, { ...attributes, driver: DRIVER });
  }
}

function isTrue(value: string): boolean {
  return /^(1|t|true)$/i.test(value);
}
