/** What `Disk.stat` tells of a path. */
export interface FileInfo {
  size: number;
  isDirectory: boolean;
  modifiedMs: number;
}

/** An open file of fixed identity; offsets and lengths are in bytes. */
export interface DiskFile {
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Writes all of `data` at `offset`. Durable only after {@link DiskFile.datasync}. */
  write(offset: number, data: Uint8Array): Promise<void>;
  /** Makes what was written, and the size, durable (fdatasync). */
  datasync(): Promise<void>;
  /** Reserves blocks so that the file is at least `size` bytes, zero-filled. Throws ENOSPC here, not on write. */
  allocate(size: number): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/**
 * The only way cores reach a file system. Errors are Node's (`code` ENOENT, EEXIST, ENOSPC, EIO, …).
 * A name change is durable only after {@link Disk.syncDirectory} of its directory.
 */
export interface Disk {
  open(path: string, mode: 'read' | 'read-write' | 'create'): Promise<DiskFile>;
  readFile(path: string): Promise<Uint8Array>;
  /** Replaces a file whole and durably: temporary file, fdatasync, rename, directory sync. */
  writeFileAtomic(path: string, data: Uint8Array, mode?: number): Promise<void>;
  stat(path: string): Promise<FileInfo | undefined>;
  /** Names in a directory, sorted; empty when the directory is missing. */
  list(path: string): Promise<string[]>;
  makeDirectory(path: string, mode?: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a tree; no error when missing. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Bytes free to this user on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}
