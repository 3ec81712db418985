import { basename, dirname, join, resolve } from 'node:path';
import type { Clock } from './clock.js';
import type { Disk, DiskFile, FileInfo, OpenMode } from './disk.js';
import { SimFileNode } from './disk.sim.file.js';
import { diskError, SimDirectory, SimTree } from './disk.sim.tree.js';
import type { Random } from './random.js';

/** Kinds of operation that a fault can be laid on. */
export type SimDiskOperation =
  | 'open'
  | 'read'
  | 'write'
  | 'datasync'
  | 'allocate'
  | 'truncate'
  | 'list'
  | 'stat'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'syncDirectory';

export interface SimDiskFault {
  /** The error's code, such as EIO or ENOSPC. */
  code: string;
  /** Any operation when left out. */
  operation?: SimDiskOperation;
  /** Only paths that contain this; any path when left out. */
  path?: string;
  /** Operations that match and still succeed before the fault; 0 when left out. */
  after?: number;
  /** How often the fault strikes; 1 when left out. */
  times?: number;
  /** Called each time it strikes, with the path. */
  onStrike?: (path: string) => void;
}

export interface SimDiskOptions {
  /** Bytes that all files together can take; endless when left out. */
  capacityBytes?: number;
  /** Gives files their time of change; without it that is 0. */
  clock?: Clock;
}

/** Who uses a disk, from one start of a machine to its end. */
export interface SimDiskUser {
  /** Waited for before an operation has its effect: how slow the disk is. Does not end when the user does. */
  delay(operation: SimDiskOperation): Promise<void>;
  /**
   * The power went at the operation {@link SimDisk.cutPowerAt} said. That operation and all later ones never
   * end: a program does not live to see its own power cut.
   */
  onPowerCut(): void;
}

/** A file as it would be found after a power cut. */
export interface SimDurableFile {
  path: string;
  size: number;
  /** Bytes before the zeros at its end. */
  written: number;
}

/** Thrown by every operation from a power cut until {@link SimDisk.crash}, unless a user was named. */
export class SimPowerCutError extends Error {
  constructor() {
    super('the power is cut');
    this.name = 'SimPowerCutError';
  }
}

/** Syncs do nothing when the power goes during one; other operations may have had their effect. */
const SYNCS: readonly SimDiskOperation[] = ['datasync', 'syncDirectory'];

/**
 * A disk in memory that keeps apart what was written and what was synced, loses the difference in a
 * crash, and fails on demand. Paths are absolute; only `/` exists at first.
 */
export class SimDisk implements Disk {
  capacityBytes: number;
  readonly #clock: Clock | undefined;
  readonly #tree = new SimTree();
  #faults: SimDiskFault[] = [];
  #operations = 0;
  #powerCutAt = Number.POSITIVE_INFINITY;
  #powered = true;
  #boot = 0;
  #user: SimDiskUser | undefined;

  constructor(options: SimDiskOptions = {}) {
    this.capacityBytes = options.capacityBytes ?? Number.POSITIVE_INFINITY;
    this.#clock = options.clock;
  }

  /** Operations begun so far: the scale of {@link SimDisk.cutPowerAt}. */
  get operations(): number {
    return this.#operations;
  }

  /** Says who uses the disk from now on; undefined for nobody in particular. */
  usedBy(user: SimDiskUser | undefined): void {
    this.#user = user;
  }

  /**
   * Lays a fault on operations to come. Several may lie at once; the first that matches strikes.
   */
  injectFault(fault: SimDiskFault): void {
    this.#faults.push({ ...fault });
  }

  clearFaults(): void {
    this.#faults = [];
  }

  /**
   * Cuts the power now: every operation fails until {@link SimDisk.crash}, also those under way.
   */
  cutPower(): void {
    this.#powered = false;
  }

  /** Cuts the power at the given operation, counted as {@link SimDisk.operations} counts. */
  cutPowerAt(operation: number): void {
    this.#powerCutAt = operation;
  }

  /**
   * A power cut and a new start: open files are gone, and with them all writes and names that were
   * not synced. With `random`, an arbitrary part of those had reached the disk: whole writes,
   * single sectors, the first few names. Cut the power and let promises settle first where
   * something may still be running, as no program lives through a crash.
   */
  crash(options: { random?: Random } = {}): void {
    this.#tree.crash(options.random);
    this.#boot++;
    this.#powered = true;
    this.#powerCutAt = Number.POSITIVE_INFINITY;
    this.clearFaults();
  }

  /** All files as they would be found after a power cut, in order of their paths. */
  durableFiles(): SimDurableFile[] {
    return this.#tree.durableFiles();
  }

  /** Flips bits of one byte on the disk, unnoticed. */
  flipBits(path: string, offset: number, mask = 0x01): void {
    this.#tree.file('flip', path).flip(offset, mask);
  }

  /** Permission bits of a file, for tests of secrecy. */
  modeOf(path: string): number {
    return this.#tree.file('mode', path).mode;
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.run('open', path, () => {
      if (mode !== 'create') return this.#handle(path, this.#tree.file('open', path));
      if (this.#tree.find(path)) throw diskError('EEXIST', 'open', path);
      const node = new SimFileNode(0o600);
      this.#tree.setName('open', path, node);
      return this.#handle(path, node);
    });
  }

  #handle(path: string, node: SimFileNode): DiskFile {
    const boot = this.#boot;
    return new SimFile(this, path, node, () => boot === this.#boot);
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.run('read', path, () => {
      const node = this.#tree.file('read', path);
      return node.read(0, node.size);
    });
  }

  async writeFileAtomic(path: string, data: Uint8Array, mode = 0o600): Promise<void> {
    await this.#replace(path, data, { mode, isSynced: true });
    await this.syncDirectory(dirname(resolve(path)));
  }

  replaceFile(path: string, data: Uint8Array): Promise<void> {
    return this.#replace(path, data, { mode: 0o600, isSynced: false });
  }

  async #replace(
    path: string,
    data: Uint8Array,
    { mode, isSynced }: { mode: number; isSynced: boolean },
  ): Promise<void> {
    const directory = dirname(resolve(path));
    const temporary = join(directory, `.${basename(path)}.${this.#operations}.tmp`);
    try {
      const file = await this.open(temporary, 'create');
      this.#tree.file('chmod', temporary).mode = mode;
      await file.write(0, data);
      if (isSynced) await file.datasync();
      await file.close();
      await this.rename(temporary, path);
    } catch (error) {
      if (this.#powered) await this.remove(temporary);
      throw error;
    }
  }

  stat(path: string): Promise<FileInfo | undefined> {
    return this.run('stat', path, () => {
      const node = this.#tree.find(path);
      if (node === undefined) return undefined;
      if (node instanceof SimDirectory) return { size: 0, isDirectory: true, modifiedMs: 0 };
      return { size: node.size, isDirectory: false, modifiedMs: node.modifiedMs };
    });
  }

  list(path: string): Promise<string[]> {
    return this.run('list', path, () => {
      if (this.#tree.find(path) === undefined) return [];
      return [...this.#tree.directory('list', path).seen.keys()].sort();
    });
  }

  makeDirectory(path: string): Promise<void> {
    return this.run('makeDirectory', path, () => this.#tree.makeDirectories(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.run('rename', from, () => {
      const node = this.#tree.find(from);
      if (node === undefined) throw diskError('ENOENT', 'rename', from);
      const isOverDirectory = this.#tree.find(to) instanceof SimDirectory;
      if (isOverDirectory && node instanceof SimFileNode) throw diskError('EISDIR', 'rename', to);
      this.#tree.setName('rename', to, node);
      this.#tree.setName('rename', from, undefined);
    });
  }

  remove(path: string): Promise<void> {
    return this.run('remove', path, () => {
      if (this.#tree.find(path)) this.#tree.setName('remove', path, undefined);
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.run('syncDirectory', path, () =>
      this.#tree.sync(this.#tree.directory('sync', path)),
    );
  }

  async freeBytes(_path: string): Promise<number> {
    return Math.max(0, this.capacityBytes - this.#tree.usedBytes());
  }

  /** Throws ENOSPC unless `bytes` more fit. @internal */
  claim(operation: string, path: string, bytes: number): void {
    if (bytes <= 0 || this.capacityBytes === Number.POSITIVE_INFINITY) return;
    if (this.#tree.usedBytes() + bytes <= this.capacityBytes) return;
    throw diskError('ENOSPC', operation, path);
  }

  /** Time of change for files, ms since the epoch. @internal */
  now(): number {
    return this.#clock?.now() ?? 0;
  }

  /**
   * One operation: lets others run first, as a real disk would, then has its effect or its fault.
   * @internal
   */
  async run<T>(
    operation: SimDiskOperation,
    path: string,
    effect: () => T,
    onFault?: () => void,
  ): Promise<T> {
    if (!this.#powered) return this.#withoutPower();
    const boot = this.#boot;
    const cutsPower = ++this.#operations === this.#powerCutAt;
    const fault = this.#takeFault(operation, path);
    await (this.#user ? this.#user.delay(operation) : Promise.resolve());
    if (!this.#powered || boot !== this.#boot) return this.#withoutPower();
    if (cutsPower) {
      this.#powered = false;
      try {
        if (!SYNCS.includes(operation)) effect();
      } catch {
        // What fails, as the read of a file that is not there, has no effect; nobody hears of it.
      }
      this.#user?.onPowerCut();
      return this.#withoutPower();
    }
    if (fault) {
      fault.onStrike?.(path);
      onFault?.();
      throw diskError(fault.code, operation, path);
    }
    return effect();
  }

  #withoutPower(): Promise<never> {
    if (this.#user) return new Promise<never>(() => {});
    return Promise.reject(new SimPowerCutError());
  }

  #takeFault(operation: SimDiskOperation, path: string): SimDiskFault | undefined {
    for (const fault of this.#faults) {
      if (fault.operation !== undefined && fault.operation !== operation) continue;
      if (fault.path !== undefined && !path.includes(fault.path)) continue;
      if ((fault.after ?? 0) > 0) {
        fault.after = (fault.after ?? 0) - 1;
        continue;
      }
      fault.times = (fault.times ?? 1) - 1;
      if (fault.times <= 0) this.#faults = this.#faults.filter((other) => other !== fault);
      return fault;
    }
    return undefined;
  }
}

class SimFile implements DiskFile {
  readonly #disk: SimDisk;
  readonly #path: string;
  readonly #node: SimFileNode;
  readonly #sameBoot: () => boolean;
  #closed = false;

  constructor(disk: SimDisk, path: string, node: SimFileNode, sameBoot: () => boolean) {
    this.#disk = disk;
    this.#path = path;
    this.#node = node;
    this.#sameBoot = sameBoot;
  }

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#run('read', () => this.#node.read(offset, length));
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#run('write', () => {
      this.#disk.claim('write', this.#path, offset + data.length - this.#node.size);
      this.#node.write(offset, data);
      this.#node.modifiedMs = this.#disk.now();
    });
  }

  datasync(): Promise<void> {
    const covered = this.#node.unsyncedCount;
    return this.#run(
      'datasync',
      () => this.#node.sync(covered),
      () => this.#node.forgetUnsynced(covered),
    );
  }

  allocate(size: number): Promise<void> {
    return this.#run('allocate', () => {
      this.#disk.claim('allocate', this.#path, size - this.#node.size);
      if (size > this.#node.size) this.#node.resize(size);
    });
  }

  truncate(size: number): Promise<void> {
    return this.#run('truncate', () => this.#node.resize(size));
  }

  async size(): Promise<number> {
    return this.#node.size;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #run<T>(operation: SimDiskOperation, effect: () => T, onFault?: () => void): Promise<T> {
    if (this.#closed || !this.#sameBoot()) throw diskError('EBADF', operation, this.#path);
    return this.#disk.run(operation, this.#path, effect, onFault);
  }
}
