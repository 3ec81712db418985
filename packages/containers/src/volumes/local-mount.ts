import { readFileSync } from 'node:fs';
import { Code, errorMessage, type Processes, RpcError, runOrThrow } from '@skep/platform';
import type { Kernel } from '../linux/kernel.js';
import type { VolumeRecord, VolumeStore } from './volume-store.js';

/** Options of the `local` driver that name a file system to mount over the volume's directory. */
const KNOWN_OPTIONS = new Set(['type', 'o', 'device', 'size']);
/** NFS servers that do not answer must not hold a start for ever. */
const MOUNT_TIMEOUT_MS = 30_000;

/** Refuses driver options that the `local` driver does not have. */
export function checkDriverOptions(name: string, options: Record<string, string>): void {
  for (const key of Object.keys(options)) {
    if (!KNOWN_OPTIONS.has(key)) {
      throw new RpcError(Code.INVALID_ARGUMENT, `create ${name}: invalid option: "${key}"`);
    }
  }
  if (options['type'] !== undefined || options['o'] !== undefined) {
    for (const required of ['type', 'device']) {
      if (options[required] !== undefined) continue;
      if (required === 'type' && /\bbind\b/.test(options['o'] ?? '')) continue;
      throw new RpcError(
        Code.INVALID_ARGUMENT,
        `create ${name}: missing required option: "${required}"`,
      );
    }
  }
}

/** Mounts the file systems of volumes that have one, as long as some container uses them. */
export class LocalMounts {
  readonly #store: VolumeStore;
  readonly #processes: Processes;
  readonly #kernel: Kernel;
  readonly #users = new Map<string, Set<string>>();
  readonly #mounting = new Map<string, Promise<void>>();

  constructor(options: { store: VolumeStore; processes: Processes; kernel: Kernel }) {
    this.#store = options.store;
    this.#processes = options.processes;
    this.#kernel = options.kernel;
  }

  /** Notes a use by a container; the first one mounts. */
  async acquire(volume: VolumeRecord, containerId: string): Promise<void> {
    if (!volume.options?.['device']) return;
    const users = this.#users.get(volume.name) ?? new Set();
    this.#users.set(volume.name, users);
    users.add(containerId);
    const pending = this.#mounting.get(volume.name) ?? this.#mount(volume);
    this.#mounting.set(volume.name, pending);
    try {
      await pending;
    } catch (error) {
      this.#mounting.delete(volume.name);
      users.delete(containerId);
      throw error;
    }
  }

  /** The last user's leaving unmounts. */
  release(name: string, containerId: string): void {
    const users = this.#users.get(name);
    if (!users?.delete(containerId) || users.size > 0) return;
    this.#users.delete(name);
    this.#mounting.delete(name);
    this.#kernel.unmount(this.#store.dataPath(name));
  }

  /**
   * Makes sure that a volume's directory is our own disk's before it is deleted: a file system that
   * an earlier daemon left mounted there is somebody else's data.
   */
  detach(volume: VolumeRecord): void {
    if (!volume.options?.['device']) return;
    const target = this.#store.dataPath(volume.name);
    if (isMountPoint(target)) this.#kernel.unmount(target);
    if (!isMountPoint(target)) return;
    throw new RpcError(Code.INTERNAL, `remove ${volume.name}: cannot unmount ${target}`);
  }

  async #mount(volume: VolumeRecord): Promise<void> {
    const target = this.#store.dataPath(volume.name);
    if (isMountPoint(target)) return; // by the daemon before this one
    const { type = '', o = '', device = '' } = volume.options ?? {};
    const flags = [...(type ? ['-t', type] : []), ...(o ? ['-o', o] : [])];
    try {
      // mount(8) and not mount(2): it resolves NFS servers' names and knows the helpers.
      await runOrThrow(this.#processes, 'mount', [...flags, device, target], {
        timeoutMs: MOUNT_TIMEOUT_MS,
      });
    } catch (error) {
      throw new RpcError(
        Code.INTERNAL,
        `error while mounting volume '${target}': failed to mount local volume: ` +
          `mount ${device}:${target}, data: ${o}: ${errorMessage(error)}`,
      );
    }
  }
}

/** Whether something is mounted exactly there. */
export function isMountPoint(path: string): boolean {
  return mountPoints().includes(path);
}

/** All mount points of this process's namespace. */
export function mountPoints(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\040/g, ' '))
    .filter((path) => path !== '');
}
