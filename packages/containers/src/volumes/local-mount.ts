import { readFileSync } from 'node:fs';
import { Code, errorMessage, type Processes, RpcError, type RunResult } from '@skep/platform';
import type { Kernel } from '../linux/kernel.js';
import { type ResolveHost, resolveMount, withoutPassword } from './local-options.js';
import type { VolumeRecord, VolumeStore } from './volume-store.js';

/** NFS servers that do not answer must not hold a start for ever. */
const MOUNT_TIMEOUT_MS = 30_000;

export interface LocalMountsOptions {
  store: VolumeStore;
  processes: Processes;
  kernel: Kernel;
  resolveHost: ResolveHost;
}

/** Mounts the file systems of volumes that have one, as long as some container uses them. */
export class LocalMounts {
  readonly #options: LocalMountsOptions;
  readonly #users = new Map<string, Set<string>>();
  readonly #mounting = new Map<string, Promise<void>>();

  constructor(options: LocalMountsOptions) {
    this.#options = options;
  }

  /** Notes a use; the first one mounts. */
  async acquire(volume: VolumeRecord, mountId: string): Promise<void> {
    if (!hasFileSystem(volume)) return;
    const users = this.#note(volume, mountId);
    const pending = this.#mounting.get(volume.name) ?? this.#mount(volume);
    this.#mounting.set(volume.name, pending);
    try {
      await pending;
    } catch (error) {
      this.#mounting.delete(volume.name);
      users.delete(mountId);
      throw error;
    }
  }

  /** Notes a use that began under an earlier daemon. */
  hold(volume: VolumeRecord, mountId: string): void {
    if (hasFileSystem(volume)) this.#note(volume, mountId);
  }

  /** The last user's leaving unmounts. */
  release(name: string, mountId: string): void {
    const users = this.#users.get(name);
    if (!users?.delete(mountId) || users.size > 0) return;
    this.#users.delete(name);
    this.#mounting.delete(name);
    this.#options.kernel.unmount(this.#options.store.dataPath(name));
  }

  /**
   * Makes sure that a volume's directory is our own disk's before it is deleted: a file system that
   * an earlier daemon left mounted there is somebody else's data.
   */
  detach(volume: VolumeRecord): void {
    if (!hasFileSystem(volume)) return;
    const target = this.#options.store.dataPath(volume.name);
    if (isMountPoint(target)) this.#options.kernel.unmount(target);
    if (isMountPoint(target)) throw new RpcError(Code.INTERNAL, `cannot unmount ${target}`);
  }

  #note({ name }: VolumeRecord, mountId: string): Set<string> {
    const users = this.#users.get(name) ?? new Set();
    this.#users.set(name, users);
    return users.add(mountId);
  }

  async #mount(volume: VolumeRecord): Promise<void> {
    const { processes, resolveHost, store } = this.#options;
    const target = store.dataPath(volume.name);
    if (isMountPoint(target)) return; // by the daemon before this one
    const { type = 'none' } = volume.options ?? {};
    const failure = `error while mounting volume '${target}': failed to mount local volume`;
    try {
      const { device, o } = await resolveMount(volume.options ?? {}, resolveHost);
      const flags = ['-i', '-t', type, ...(o ? ['-o', o] : [])];
      // A process and not a call of ours, as a server may not answer; `-i` makes it mount(2) alone.
      const timeoutMs = MOUNT_TIMEOUT_MS;
      const result = await processes.run('mount', [...flags, device, target], { timeoutMs });
      if (result.code === 0) return;
      const reason = mountFailure(result, target);
      throw new Error(`mount ${device}:${target}, data: ${withoutPassword(o)}: ${reason}`);
    } catch (error) {
      throw new RpcError(Code.INTERNAL, `${failure}: ${errorMessage(error)}`, { cause: error });
    }
  }
}

/** What mount(8) says, without what is said already. */
function mountFailure({ code, stderr }: RunResult, target: string): string {
  if (code < 0) return `no end within ${MOUNT_TIMEOUT_MS / 1_000} s`;
  const [line = ''] = stderr.split('\n');
  return line.replace(`mount: ${target}: `, '').replace(/\.$/, '') || `exit ${code}`;
}

function hasFileSystem({ options }: VolumeRecord): boolean {
  return Boolean(options?.['device'] || options?.['type']);
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
