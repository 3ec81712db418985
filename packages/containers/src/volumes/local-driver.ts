import { Code, RpcError } from '@skep/platform';
import type { DriverVolume, VolumeDriver } from './driver.js';
import type { LocalMounts } from './local-mount.js';
import { checkLocalOptions } from './local-options.js';
import type { VolumeRecord, VolumeStore } from './volume-store.js';

/** The driver that every node has. */
export const LOCAL_DRIVER = 'local';

const NAME_CHARACTERS_MIN = 2;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Volumes in directories of this node, over which a file system of their own may be mounted. */
export class LocalDriver implements VolumeDriver {
  readonly name = LOCAL_DRIVER;
  readonly scope = 'local';
  readonly #store: VolumeStore;
  readonly #mounts: LocalMounts;

  constructor(options: { store: VolumeStore; mounts: LocalMounts }) {
    this.#store = options.store;
    this.#mounts = options.mounts;
  }

  /** Only checks: record and directory are the store's. */
  async create(name: string, options: Record<string, string>): Promise<void> {
    checkName(name);
    checkLocalOptions(options);
  }

  /** Leaves the data to the store, after it has been made sure that it is this node's. */
  async remove(volume: VolumeRecord): Promise<void> {
    this.#mounts.detach(volume);
  }

  async get(name: string): Promise<DriverVolume | undefined> {
    const record = this.#store.get(name);
    return record && isLocal(record) ? this.#described(record) : undefined;
  }

  async list(): Promise<DriverVolume[]> {
    return this.#store
      .all()
      .filter(isLocal)
      .map((record) => this.#described(record));
  }

  async mount(volume: VolumeRecord, mountId: string): Promise<string> {
    await this.#mounts.acquire(volume, mountId);
    return this.#store.dataPath(volume.name);
  }

  hold(volume: VolumeRecord, mountId: string): void {
    this.#mounts.hold(volume, mountId);
  }

  async unmount({ name }: VolumeRecord, mountId: string): Promise<void> {
    this.#mounts.release(name, mountId);
  }

  #described({ createdAt, name }: VolumeRecord): DriverVolume {
    return { name, createdAt, mountpoint: this.#store.dataPath(name) };
  }
}

export function isLocal({ driver }: VolumeRecord): boolean {
  return (driver ?? LOCAL_DRIVER) === LOCAL_DRIVER;
}

function checkName(name: string): void {
  if (name.length < NAME_CHARACTERS_MIN) {
    const text = 'volume name is too short, names should be at least two alphanumeric characters';
    throw new RpcError(Code.INVALID_ARGUMENT, text);
  }
  if (NAME.test(name)) return;
  throw new RpcError(
    Code.INVALID_ARGUMENT,
    `"${name}" includes invalid characters for a local volume name, only ` +
      '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. ' +
      'If you intended to pass a host directory, use absolute path',
  );
}
