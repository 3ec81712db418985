import { type Clock, Code, errorMessage, type Logger, type Random, RpcError } from '@skep/platform';
import type { Filters, VolumeEngine, VolumeInfo, VolumeList } from '../contract/engine.js';
import { EventBus } from '../engine/events.js';
import { booleanFilter, matchLabels, refuseUnknownFilters } from '../engine/filters.js';
import { KeyedMutex } from '../images/keyed-mutex.js';
import { USAGE_TIMEOUT_MS } from '../limits.js';
import { isoTime } from '../records/record.js';
import type { DriverVolume, VolumeDriver } from './driver.js';
import { isLocal, LOCAL_DRIVER, type LocalDriver } from './local-driver.js';
import type { VolumePlugins } from './plugins/plugins.js';
import { treeBytes } from './usage.js';
import {
  conflict,
  driverOf,
  naming,
  noSuchVolume,
  unknownVolume,
  volumeInfo,
} from './volume-info.js';
import type { VolumeRecord, VolumeStore } from './volume-store.js';

/** How Docker marks a volume that nobody named. */
export const ANONYMOUS_LABEL = 'com.docker.volume.anonymous';
/** Another name of the local driver, which Docker's clients knew once. */
const LOCAL_DRIVER_ALIAS = 'default';
const LIST_FILTERS = ['dangling', 'driver', 'label', 'name'];
const PRUNE_FILTERS = ['all', 'label', 'label!'];

export interface VolumesOptions {
  store: VolumeStore;
  local: LocalDriver;
  plugins: Pick<VolumePlugins, 'all' | 'driver'>;
  clock: Clock;
  random: Random;
  logger: Logger;
  /** Ids of the containers, running or not, that mount a volume. */
  usersOf: (name: string) => string[];
}

/** One mount of a volume in a container that runs. */
export interface VolumeUse {
  volume: string;
  /** The same for the mount and its end, also after a restart of the daemon. */
  mountId: string;
}

/** Volumes of all drivers: who made them, what is kept of them, and who uses them. */
export class Volumes implements VolumeEngine {
  readonly #options: VolumesOptions;
  readonly #events: EventBus;
  readonly #mutex = new KeyedMutex();

  constructor(options: VolumesOptions) {
    this.#options = options;
    this.#events = new EventBus(options.clock);
  }

  onEvent(listener: Parameters<VolumeEngine['onEvent']>[0]): () => void {
    return this.#events.on(listener);
  }

  async create(request: Parameters<VolumeEngine['create']>[0]): Promise<VolumeInfo> {
    const name = request.Name || Buffer.from(this.#options.random.bytes(32)).toString('hex');
    return this.#mutex.run(name, () => naming('create', name, () => this.#create(name, request)));
  }

  async #create(name: string, request: Parameters<VolumeEngine['create']>[0]): Promise<VolumeInfo> {
    const { store } = this.#options;
    const wanted = request.Driver ? await this.#driver(request.Driver) : undefined;
    const existing = await this.#confirmed(name);
    if (existing && wanted && wanted.name !== driverOf(existing)) {
      const text = `driver '${driverOf(existing)}' already has volume '${name}'`;
      throw conflict(`${text}: volume name must be unique`);
    }
    if (existing) return this.#inspect(existing);
    const adopted = wanted || !request.Name ? undefined : await this.#adopt(name);
    if (adopted) return this.#inspect(adopted);
    const driver = wanted ?? this.#options.local;
    const options = request.DriverOpts ?? {};
    if (!(await driver.get(name))) await driver.create(name, options);
    const anonymous: Record<string, string> = request.Name ? {} : { [ANONYMOUS_LABEL]: '' };
    const record: VolumeRecord = {
      name,
      ...(driver.name === LOCAL_DRIVER ? {} : { driver: driver.name }),
      createdAt: isoTime(this.#options.clock.now()).replace(/\.\d+Z$/, 'Z'),
      labels: request.Labels || !request.Name ? { ...request.Labels, ...anonymous } : null,
      options: Object.keys(options).length > 0 ? options : null,
    };
    store.create(record);
    this.#emit('create', record);
    return this.#inspect(record);
  }

  /** What is kept of a volume, unless its plugin has it no more and nobody needs it. */
  async #confirmed(name: string): Promise<VolumeRecord | undefined> {
    const { store, usersOf } = this.#options;
    const record = store.get(name);
    if (!record || isLocal(record)) return record;
    const where = `volume '${name}' in driver '${driverOf(record)}'`;
    let found: DriverVolume | undefined;
    try {
      found = await (await this.#driver(driverOf(record))).get(name);
    } catch (error) {
      const why = `but got an error while checking the driver: ${errorMessage(error)}`;
      throw conflict(`found reference to ${where}, ${why}: volume name must be unique`);
    }
    if (found) return record;
    if (usersOf(name).length > 0) {
      throw conflict(
        `found references to ${where} but the volume was not found in the driver -- you may need ` +
          'to remove containers referencing this volume or force remove the volume to re-create ' +
          'it: volume name must be unique',
      );
    }
    store.remove(name);
    return undefined;
  }

  /** A volume that some plugin has and this node never heard of. */
  async #adopt(name: string): Promise<VolumeRecord | undefined> {
    const { plugins, store } = this.#options;
    for (const driver of await plugins.all()) {
      const found = await driver.get(name).catch(() => undefined);
      if (!found) continue;
      const record = {
        name,
        driver: driver.name,
        createdAt: found.createdAt,
        labels: null,
        options: null,
      };
      store.create(record);
      return record;
    }
    return undefined;
  }

  async #driver(name: string): Promise<VolumeDriver> {
    if (name === LOCAL_DRIVER || name === LOCAL_DRIVER_ALIAS) return this.#options.local;
    return this.#options.plugins.driver(name);
  }

  /** Names of the drivers that answer now. */
  async drivers(): Promise<string[]> {
    const plugins = await this.#options.plugins.all();
    return [LOCAL_DRIVER, ...plugins.map(({ name }) => name)];
  }

  async list(filters: Filters): Promise<VolumeList> {
    refuseUnknownFilters(filters, LIST_FILTERS);
    const { local, plugins, store } = this.#options;
    const drivers = [local, ...(await plugins.all())];
    const lists = await Promise.all(drivers.map((driver) => this.#listOf(driver)));
    const volumes = lists.flatMap((list) => list.volumes);
    const asked = lists.filter(({ warning }) => !warning).map(({ driver }) => driver.name);
    const unseen = store.all().filter((record) => !asked.includes(driverOf(record)));
    const missing = new Set(unseen.map(driverOf));
    for (const { driver } of lists) missing.delete(driver.name);
    return {
      Volumes: [...volumes, ...unseen.map((record) => volumeInfo(record))].filter((volume) =>
        this.#matches(volume, filters),
      ),
      Warnings: [
        ...lists.flatMap(({ warning }) => warning ?? []),
        ...[...missing].map((name) => `list ${name}: plugin "${name}" does not answer`),
      ],
    };
  }

  async #listOf(
    driver: VolumeDriver,
  ): Promise<{ driver: VolumeDriver; volumes: VolumeInfo[]; warning?: string }> {
    const { store } = this.#options;
    try {
      const found = (await driver.list()).filter(({ name }) => {
        const known = store.get(name);
        // The first to have a name keeps it.
        return !known || driverOf(known) === driver.name;
      });
      const volumes = found.map((volume) => {
        return volumeInfo(
          store.get(volume.name) ?? unknownVolume(volume, driver),
          volume,
          driver.scope,
        );
      });
      return { driver, volumes };
    } catch (error) {
      return { driver, volumes: [], warning: `list ${driver.name}: ${errorMessage(error)}` };
    }
  }

  #matches(volume: VolumeInfo, { dangling, driver, label, name }: Filters): boolean {
    if (driver && !driver.includes(volume.Driver)) return false;
    if (name && !name.some((wanted) => volume.Name.includes(wanted))) return false;
    if (label && !matchLabels(volume.Labels ?? {}, label)) return false;
    if (!dangling) return true;
    const unused = this.#options.usersOf(volume.Name).length === 0;
    return dangling.some((value) => booleanFilter('dangling', value) === unused);
  }

  async inspect(name: string): Promise<VolumeInfo> {
    const record = await this.#find(name);
    return naming('get', name, () => this.#inspect(record));
  }

  async #inspect(record: VolumeRecord): Promise<VolumeInfo> {
    const driver = await this.#driver(driverOf(record));
    const found = await driver.get(record.name);
    if (found) return volumeInfo(record, found, driver.scope);
    if (this.#options.usersOf(record.name).length === 0) this.#options.store.remove(record.name);
    throw new RpcError(Code.NOT_FOUND, 'no such volume');
  }

  async remove(name: string, force: boolean): Promise<void> {
    await this.#mutex.run(name, async () => {
      const volume = this.#options.store.get(name) ?? (await this.#adopt(name));
      if (!volume && force) return;
      if (!volume) throw noSuchVolume(name);
      const users = this.#options.usersOf(name);
      if (users.length > 0) {
        throw conflict(`remove ${name}: volume is in use - [${users.join(', ')}]`);
      }
      await naming('remove', name, () => this.#delete(volume, force));
    });
  }

  /** Forced, a volume whose plugin is gone is forgotten. */
  async #delete(volume: VolumeRecord, force = false): Promise<void> {
    const driver = await this.#driver(driverOf(volume)).catch((error: unknown) => {
      if (!force) throw error;
    });
    await driver?.remove(volume);
    this.#options.store.remove(volume.name);
    this.#emit('destroy', volume);
  }

  /** Only what is this node's own and was made without options: the rest is somebody else's data. */
  async prune(filters: Filters): ReturnType<VolumeEngine['prune']> {
    refuseUnknownFilters(filters, PRUNE_FILTERS);
    const all = (filters['all'] ?? []).some((value) => booleanFilter('all', value));
    const candidates = this.#ownData().filter((volume) => {
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
      await this.#delete(volume);
      report.VolumesDeleted.push(name);
      report.SpaceReclaimed += Math.max(0, sizes.get(name) ?? 0);
    }
    this.#events.emit('volume', 'prune', '', { reclaimed: String(report.SpaceReclaimed) });
    return report;
  }

  /** Volumes on this node's disk with `UsageData`, for `system df`; a size that takes too long is -1. */
  async usage(): Promise<VolumeInfo[]> {
    const volumes = this.#ownData();
    const sizes = await this.#sizes(volumes.map((volume) => volume.name));
    return volumes.map((volume) => ({
      ...volumeInfo(volume, { ...volume, mountpoint: this.#options.store.dataPath(volume.name) }),
      UsageData: {
        Size: sizes.get(volume.name) ?? -1,
        RefCount: this.#options.usersOf(volume.name).length,
      },
    }));
  }

  #ownData(): VolumeRecord[] {
    return this.#options.store.all().filter((volume) => isLocal(volume) && !volume.options);
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

  /** Makes a volume usable: resolves with the path of its data. `attributes` are those of the event. */
  async acquire(use: VolumeUse, attributes: Record<string, string>): Promise<string> {
    const record = await this.#find(use.volume);
    const driver = await this.#driver(driverOf(record));
    const path = await driver.mount(record, use.mountId);
    this.#emit('mount', record, attributes);
    return path;
  }

  /** Takes over what an earlier daemon had made usable. */
  hold({ mountId, volume }: VolumeUse): void {
    const record = this.#options.store.get(volume);
    if (record && isLocal(record)) this.#options.local.hold(record, mountId);
  }

  /** Ends a use. A driver that fails at it does not keep a container from ending. */
  async release({ mountId, volume }: VolumeUse, attributes: Record<string, string>): Promise<void> {
    const record = this.#options.store.get(volume);
    if (!record) return;
    try {
      await (await this.#driver(driverOf(record))).unmount(record, mountId);
    } catch (error) {
      this.#options.logger.warn({ volume, error: errorMessage(error) }, 'volume not unmounted');
    }
    this.#emit('unmount', record, attributes);
  }

  async #find(name: string): Promise<VolumeRecord> {
    const volume = this.#options.store.get(name) ?? (await this.#adopt(name));
    if (!volume) throw noSuchVolume(name);
    return volume;
  }

  #emit(action: string, volume: VolumeRecord, attributes: Record<string, string> = {}): void {
    this.#events.emit('volume', action, volume.name, { ...attributes, driver: driverOf(volume) });
  }
}
