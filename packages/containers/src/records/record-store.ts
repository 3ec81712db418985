import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasErrno, type Logger } from '@skep/platform';
import { type ContainerRecord, type ContainerStatus, initialStatus } from './record.js';
import { lastStatus, StatusFiles } from './status-files.js';

const CONFIG_FILE = 'config.json';
const STATE_FILE = 'state.json';
const CONTAINER_ID = /^[0-9a-f]{64}$/;

export interface LoadedRecord {
  record: ContainerRecord;
  status: ContainerStatus;
}

/**
 * The records on disk: a directory for each container, with two files.
 *
 * `config.json` is what a client was promised (that the container exists, its name): it is synced
 * before the promise is kept, so that it survives a power cut. `state.json` changes at each start
 * and exit (see {@link StatusFiles}) and is *not* synced: after `kill -9` of the daemon the page cache still has it, and
 * after a power cut no container runs any more, so that whatever it says is corrected from
 * containerd, whose list is empty. It is a file of its own so that a rename that the disk did not
 * finish can never harm `config.json`. That makes two syncs (file, directory) for a create, one for
 * a remove and none for start, stop and exit.
 */
export class RecordStore {
  readonly #root: string;
  readonly #logger: Logger;
  readonly #statusFiles = new StatusFiles();

  constructor(options: { root: string; logger: Logger }) {
    this.#root = options.root;
    this.#logger = options.logger;
    mkdirSync(this.#root, { recursive: true, mode: 0o710 });
  }

  directory(id: string): string {
    return join(this.#root, id);
  }

  /** Makes the record durable. The directory may hold other files of the container already. */
  async create(record: ContainerRecord, status: ContainerStatus): Promise<void> {
    const directory = this.directory(record.id);
    mkdirSync(directory, { recursive: true, mode: 0o710 });
    this.writeStatus(record.id, status);
    await this.writeRecord(record);
    await syncDirectory(this.#root);
  }

  /** Replaces `config.json` durably. */
  async writeRecord(record: ContainerRecord): Promise<void> {
    const path = join(this.directory(record.id), CONFIG_FILE);
    const file = openSync(`${path}.tmp`, 'w', 0o600);
    try {
      writeFileSync(file, JSON.stringify(record));
      await datasync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.tmp`, path);
    await syncDirectory(this.directory(record.id));
  }

  writeStatus(id: string, status: ContainerStatus): void {
    this.#statusFiles.write(join(this.directory(id), STATE_FILE), status);
  }

  /**
   * Removes the container's directory. The record goes first: what is left of a crash is a
   * leftover.
   */
  remove(id: string): void {
    const directory = this.directory(id);
    this.#statusFiles.forget(join(directory, STATE_FILE));
    rmSync(join(directory, CONFIG_FILE), { force: true });
    syncDirectorySync(directory);
    rmSync(directory, { recursive: true, force: true });
  }

  /**
   * Reads all records; directories without a readable one are removed, they were never promised.
   */
  load(): LoadedRecord[] {
    const loaded: LoadedRecord[] = [];
    for (const name of readdirSync(this.#root)) {
      if (!CONTAINER_ID.test(name)) continue;
      const record = this.#read<ContainerRecord>(name, CONFIG_FILE, JSON.parse);
      if (record === 'missing') rmSync(this.directory(name), { recursive: true, force: true });
      if (typeof record === 'string') continue;
      const status = this.#read(name, STATE_FILE, lastStatus);
      loaded.push({ record, status: typeof status === 'string' ? initialStatus() : status });
    }
    return loaded;
  }

  #read<T>(id: string, name: string, parse: (text: string) => T): T | 'missing' | 'unreadable' {
    const path = join(this.directory(id), name);
    try {
      return parse(readFileSync(path, 'utf8'));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return 'missing';
      this.#logger.error({ path, error: String(error) }, 'container record cannot be read');
      return 'unreadable';
    }
  }
}

// Only what waits for the disk is left to another thread: a trip there takes longer than the rest.
const datasync = promisify(fdatasync);
const sync = promisify(fsync);

async function syncDirectory(path: string): Promise<void> {
  const directory = openSync(path, 'r');
  try {
    await sync(directory);
  } finally {
    closeSync(directory);
  }
}

function syncDirectorySync(path: string): void {
  let directory: number;
  try {
    directory = openSync(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

/**
 * Writes a small file whole and durably: temporary file, sync, rename. Used for volume metadata.
 */
export function writeDurably(path: string, text: string): void {
  const file = openSync(`${path}.tmp`, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.tmp`, path);
  syncDirectorySync(join(path, '..'));
}
