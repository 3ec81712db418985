import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { HOST, type NamespacePath } from '../contract.js';
import {
  bindMount,
  CLONE_NEWNET,
  detachMount,
  SystemCallError,
  setNamespace,
  unshare,
} from './libc.js';

/** The calling thread's namespace; `/proc/self` would be the main thread's. */
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

/** Moves the calling thread between network namespaces. */
export class Namespaces {
  readonly #host = openSync(OWN_NAMESPACE, 'r');
  readonly #open = new Map<NamespacePath, number>();

  /** Descriptor of a namespace, kept until {@link Namespaces.forgetOpen}. */
  descriptor(path: NamespacePath): number {
    if (path === HOST) return this.#host;
    let fd = this.#open.get(path);
    if (fd === undefined) {
      fd = openSync(path, 'r');
      this.#open.set(path, fd);
    }
    return fd;
  }

  /** Runs `work` with the thread in `path`, and always comes back. */
  within<T>(path: NamespacePath, work: () => T): T {
    if (path === HOST) return work();
    setNamespace(this.descriptor(path));
    try {
      return work();
    } finally {
      setNamespace(this.#host);
    }
  }

  /** Makes a namespace that lives as long as the mount on `path` or a process in it. */
  add(path: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '', { flag: 'wx' });
    try {
      unshare(CLONE_NEWNET);
      try {
        bindMount(OWN_NAMESPACE, path);
      } finally {
        setNamespace(this.#host);
      }
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
  }

  /** Lets go of a namespace; nothing happens when there is none. */
  remove(path: string): void {
    this.#close(path);
    try {
      detachMount(path);
    } catch (error) {
      // EINVAL: a plain file, left from before a reboot.
      const gone = error instanceof SystemCallError && ['ENOENT', 'EINVAL'].includes(error.code);
      if (!gone) throw error;
    }
    rmSync(path, { force: true });
  }

  /** Paths of what stands in a directory of namespaces. */
  list(directory: string): string[] {
    if (!existsSync(directory)) return [];
    return readdirSync(directory).map((name) => join(directory, name));
  }

  /** An open descriptor would keep a removed namespace alive. */
  forgetOpen(): void {
    for (const path of [...this.#open.keys()]) this.#close(path);
  }

  close(): void {
    this.forgetOpen();
    closeSync(this.#host);
  }

  #close(path: NamespacePath): void {
    const fd = this.#open.get(path);
    if (fd !== undefined) closeSync(fd);
    this.#open.delete(path);
  }
}
