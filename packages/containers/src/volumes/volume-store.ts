import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, type Logger } from '@skep/platform';
import { writeDurably } from '../records/record-store.js';

/** What is kept of a volume beside its data. */
export interface VolumeRecord {
  name: string;
  /** RFC 3339. */
  createdAt: string;
  labels: Record<string, string> | null;
  options: Record<string, string> | null;
}

const METADATA_FILE = 'volume.json';
const DATA_DIRECTORY = '_data';

/** Volumes on disk: `<root>/<name>/volume.json` and `<root>/<name>/_data`. */
export class VolumeStore {
  readonly #root: string;
  readonly #volumes = new Map<string, VolumeRecord>();

  constructor(options: { root: string; logger: Logger }) {
    this.#root = options.root;
    mkdirSync(this.#root, { recursive: true, mode: 0o711 });
    for (const name of readdirSync(this.#root)) {
      const path = join(this.#root, name, METADATA_FILE);
      if (!existsSync(path)) continue;
      try {
        this.#volumes.set(name, JSON.parse(readFileSync(path, 'utf8')) as VolumeRecord);
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

  /** Host path of the data. */
  dataPath(name: string): string {
    return join(this.#root, name, DATA_DIRECTORY);
  }

  /** Makes the volume durable. */
  create(record: VolumeRecord): void {
    mkdirSync(this.dataPath(record.name), { recursive: true, mode: 0o755 });
    writeDurably(join(this.#root, record.name, METADATA_FILE), JSON.stringify(record));
    this.#volumes.set(record.name, record);
  }

  /** Removes data and record. The data of a foreign mount must be unmounted before. */
  remove(name: string): void {
    // The record last: a removal that was cut short is seen, and can be repeated.
    rmSync(this.dataPath(name), { recursive: true, force: true });
    rmSync(join(this.#root, name), { recursive: true, force: true });
    this.#volumes.delete(name);
  }
}
