/** What `Disk.stat` tells of a path. */
export interface FileInfo {
  size: number;
  isDirectory: boolean;
  modifiedMs: number;
}

/**
 * How a file is opened: `read` and `read-write` want it to exist (ENOENT), `create` makes it (mode
 * 0600) and wants it not to (EEXIST).
 */
export type OpenMode = 'read' | 'read-write' | 'create';

/** An open file of fixed identity; offsets and lengths are in bytes. */
export interface DiskFile {
  /** Up to `length` bytes; fewer, or none, where the file ends first. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Writes all of `data` at `offset`. Durable only after {@link DiskFile.datasync}. */
  write(offset: number, data: Uint8Array): Promise<void>;
  /** Makes what was written, and the size, durable (fdatasync). */
  datasync(): Promise<void>;
  /**
   * Reserves blocks so that the file is at least `size` bytes, zero-filled, and ENOSPC comes here
   * and not on a later write. A failure leaves the file as long as it was.
   */
  allocate(size: number): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/**
 * The only way cores reach a file system. Errors are Node's (`code` ENOENT, EEXIST, ENOSPC, EIO,
 * …). A name change is durable only after {@link Disk.syncDirectory} of its directory.
 */
export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  readFile(path: string): Promise<Uint8Array>;
  /**
   * Replaces a file whole and durably: temporary file, fdatasync, rename, directory sync.
   * `mode` is 0600 unless given.
   */
  writeFileAtomic(path: string, data: Uint8Array, mode?: number): Promise<void>;
  /**
   * Replaces a file whole (mode 0600) for everyone who reads it, also after a kill of the process, but does
   * not sync it: a power cut may take or spoil it. For what is worth nothing after one.
   */
  replaceFile(path: string, data: Uint8Array): Promise<void>;
  stat(path: string): Promise<FileInfo | undefined>;
  /** Names in a directory, sorted; empty when the directory is missing. */
  list(path: string): Promise<string[]>;
  /**
   * Makes a directory and its missing parents (mode 0700 unless given), durably; no error when it
   * is there.
   */
  makeDirectory(path: string, mode?: number): Promise<void>;
  /** Gives a file or directory another name, replacing a file that had it. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a tree; no error when missing. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** Bytes free to this user on the file system of `path`. */
  freeBytes(path: string): Promise<number>;
}
