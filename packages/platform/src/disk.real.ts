import { constants, fdatasync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Disk, DiskFile, FileInfo, OpenMode } from './disk.js';
import { hasErrno } from './errors.js';

/** Mode of files made by `open` and, unless told otherwise, by `writeFileAtomic`. */
const FILE_MODE = 0o600;
/** Zeros written at a time when reserving blocks: bounds memory and lets other work in between. */
const ALLOCATE_CHUNK_BYTES = 1024 * 1024;

/**
 * Up to this size a write is done at once: it copies to the kernel's cache, in a tenth of the time
 * that handing it to another thread takes.
 */
const WRITE_AT_ONCE_BYTES_MAX = 64 * 1024;

const OPEN_FLAGS: Record<OpenMode, number> = {
  read: constants.O_RDONLY,
  'read-write': constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/** Tells temporary files of writes to one path at the same time apart. */
let temporaryFileCount = 0;

/** The machine's file systems, through node:fs. */
export class RealDisk implements Disk {
  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new RealFile(await open(path, OPEN_FLAGS[mode], FILE_MODE));
  }

  readFile(path: string): Promise<Uint8Array> {
    return readFile(path);
  }

  async writeFileAtomic(path: string, data: Uint8Array, mode = FILE_MODE): Promise<void> {
    const temporary = temporaryOf(path);
    try {
      await writeDurably(temporary, data, mode);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await this.syncDirectory(dirname(path));
  }

  async replaceFile(path: string, data: Uint8Array): Promise<void> {
    const temporary = temporaryOf(path);
    const options = { mode: FILE_MODE };
    try {
      if (data.length <= WRITE_AT_ONCE_BYTES_MAX) writeFileSync(temporary, data, options);
      else await writeFile(temporary, data, options);
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  async stat(path: string): Promise<FileInfo | undefined> {
    try {
      const info = await stat(path);
      return { size: info.size, isDirectory: info.isDirectory(), modifiedMs: info.mtimeMs };
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  async list(path: string): Promise<string[]> {
    try {
      return (await readdir(path)).sort();
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async makeDirectory(path: string, mode = 0o700): Promise<void> {
    const wanted = resolve(path);
    const firstMade = await mkdir(wanted, { recursive: true, mode });
    if (firstMade === undefined) return;
    // Each new directory is a name in its parent, and lost with a power cut until that is synced.
    const top = dirname(firstMade);
    for (let parent = dirname(wanted); ; parent = dirname(parent)) {
      await this.syncDirectory(parent);
      if (parent === top || parent === dirname(parent)) return;
    }
  }

  rename(from: string, to: string): Promise<void> {
    return rename(from, to);
  }

  remove(path: string): Promise<void> {
    return rm(path, { recursive: true, force: true });
  }

  async syncDirectory(path: string): Promise<void> {
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  async freeBytes(path: string): Promise<number> {
    const info = await statfs(path);
    return info.bavail * info.bsize;
  }
}

/** Where a file is written before it takes the place of the one at `path`. */
function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${temporaryFileCount++}.tmp`);
}

/** Makes `path` a file of exactly `data` with exactly `mode`, whatever a crashed run left there. */
async function writeDurably(path: string, data: Uint8Array, mode: number): Promise<void> {
  await rm(path, { force: true });
  const handle = await open(path, OPEN_FLAGS.create, FILE_MODE);
  try {
    await handle.chmod(mode);
    await handle.writeFile(data);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

class RealFile implements DiskFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const left = length - filled;
      const { bytesRead } = await this.#handle.read(buffer, filled, left, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    let written = 0;
    if (data.length <= WRITE_AT_ONCE_BYTES_MAX) {
      written = writeSync(this.#handle.fd, data, 0, data.length, offset);
    }
    while (written < data.length) {
      const left = data.length - written;
      const { bytesWritten } = await this.#handle.write(data, written, left, offset + written);
      written += bytesWritten;
    }
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#handle.fd, (error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * Node has no fallocate, so zeros are written: they take their blocks now, and later writes over
   * them change no metadata, which makes each datasync cheaper.
   */
  async allocate(size: number): Promise<void> {
    const before = await this.size();
    const zeros = new Uint8Array(Math.min(ALLOCATE_CHUNK_BYTES, Math.max(0, size - before)));
    try {
      for (let offset = before; offset < size; offset += zeros.length) {
        await this.write(offset, zeros.subarray(0, size - offset));
      }
    } catch (error) {
      await this.#handle.truncate(before);
      throw error;
    }
  }

  truncate(size: number): Promise<void> {
    return this.#handle.truncate(size);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
