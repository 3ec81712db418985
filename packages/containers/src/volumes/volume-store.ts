import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Code, errorMessage, type Logger, RpcError } from '@skep/platform';
import { writeDurably } from '../records/record-store.js';
import { VOLUME_NAME_BYTES_MAX } from './plugins/limits.js';

/** What is kept of a volume beside its data. */
export interface VolumeRecord {
  name: string;
  /** The local one when absent. */
  driver?: string;
  /** RFC 3339. */
  createdAt: string;
  labels: Record<string, string> | null;
  options: Record<string, string> | null;
}

const METADATA_FILE = 'volume.json';
const DATA_DIRECTORY = '_data';

/** Volumes on disk: `<root>/<name>/volume.json`, and `<root>/<name>/_data` of the local driver. */
export class VolumeStore {
  readonly #root: string;
  readonly #volumes = new Map<string, VolumeRecord>();

  constructor(options: { root: string; logger: Logger }) {
    this.#root = options.root;
    mkdirSync(this.#root, { recursive: true, mode: 0o711 });
    for (const directory of readdirSync(this.#root)) {
      const path = join(this.#root, directory, METADATA_FILE);
      if (!existsSync(path)) continue;
      try {
        const record = JSON.parse(readFileSync(path, 'utf8')) as VolumeRecord;
        this.#volumes.set(record.name, record);
      } catch (error) {
        options.logger.error({ path, error: errorMessage(error) }, 'volume cannot be read');
      }
    }
  }

  all(): VolumeRecord[] {
    return [...this.#volumes.values()];
  }

  get(name: string): VolumeRecord | undefined {
    return this.#volumes.get(name);
  }

  /** Host path of the data of a volume of the local driver. */
  dataPath(name: string): string {
    return join(this.#directory(name), DATA_DIRECTORY);
  }

  /** Makes the volume durable. */
  create(record: VolumeRecord): void {
    const directory = this.#directory(record.name);
    const made = record.driver ? directory : this.dataPath(record.name);
    mkdirSync(made, { recursive: true, mode: 0o755 });
    writeDurably(join(directory, METADATA_FILE), JSON.stringify(record));
    this.#volumes.set(record.name, record);
  }

  /** Removes data and record. The data of a foreign mount must be unmounted before. */
  remove(name: string): void {
    // The record last: a removal that was cut short is seen, and can be repeated.
    rmSync(this.dataPath(name), { recursive: true, force: true });
    rmSync(this.#directory(name), { recursive: true, force: true });
    this.#volumes.delete(name);
  }

  /** Plugins may call their volumes what they like; the local driver's names stay as they are. */
  #directory(name: string): string {
    const encoded = encodeURIComponent(name).replace(/^\./, '%2E');
    if (Buffer.byteLength(encoded) > VOLUME_NAME_BYTES_MAX) {
      const text = `volume name is too long (at most ${VOLUME_NAME_BYTES_MAX} bytes)`;
      throw new RpcError(Code.INVALID_ARGUMENT, text);
    }
    return join(this.#root, encoded);
  }
}
