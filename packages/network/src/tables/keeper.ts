import { join } from 'node:path';
import {
  type Cancel,
  type Clock,
  type Disk,
  errorMessage,
  hasErrno,
  type Logger,
} from '@skep/platform';
import { TABLES_KEEPING_SHARE, TABLES_KEPT_EVERY_MS } from '../limits.js';
import type {
  NetworkNode,
  TableChange,
  TablesReader,
  TablesView,
  TableUpdate,
} from './contract.js';

const FILE = 'tables.json';
/** Of what is kept: a file of another one is of no use. */
const FORMAT = 1;

export interface TablesKeeperOptions {
  disk: Disk;
  clock: Clock;
  logger: Logger;
  /** Below exec-root: gone after a reboot, as what the kernel has. */
  directory: string;
}

/**
 * Keeps the last tables on disk, so that a daemon that starts again knows what its kernel is meant to
 * be, and answers names, before it reaches a manager.
 */
export class TablesKeeper implements TablesReader {
  readonly name = 'keeper';
  readonly #options: TablesKeeperOptions;
  #view: TablesView | undefined;
  #cancel: Cancel | undefined;
  #writing: Promise<void> | undefined;
  /** How long the last write took the event loop. */
  #tookMs = 0;

  constructor(options: TablesKeeperOptions) {
    this.#options = options;
  }

  /** The tables of the last run, as a complete update; undefined where there are none to be read. */
  async load(): Promise<TableUpdate | undefined> {
    try {
      return decode(await this.#options.disk.readFile(this.#path));
    } catch (error) {
      const isMissing = hasErrno(error, 'ENOENT');
      if (!isMissing) this.#warn(error, 'the last tables of the networks cannot be read');
      return undefined;
    }
  }

  /**
   * Notes changes, which are written within {@link TABLES_KEPT_EVERY_MS}. Networks are written at
   * once: what the kernel has of one that is not known would be taken down at the next start.
   */
  async apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    this.#view = view;
    this.#writeSoon();
    if (changes.some(({ table }) => table === 'network')) await this.flush();
  }

  /** Writes what is not written yet. */
  async flush(): Promise<void> {
    await this.#writing;
    if (this.#cancel) this.#write();
    await this.#writing;
  }

  /** Forgets all, on disk as well: the node has left its swarm. */
  async remove(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#view = undefined;
    await this.#writing;
    await this.#options.disk.remove(this.#path);
  }

  get #path(): string {
    return join(this.#options.directory, FILE);
  }

  #writeSoon(): void {
    if (this.#writing) return;
    const delayMs = Math.max(TABLES_KEPT_EVERY_MS, this.#tookMs / TABLES_KEEPING_SHARE);
    this.#cancel ??= this.#options.clock.after(delayMs, () => this.#write());
  }

  #write(): void {
    const view = this.#view;
    this.#cancel?.();
    this.#cancel = undefined;
    this.#view = undefined;
    if (!view) return;
    this.#writing = this.#save(view).finally(() => {
      this.#writing = undefined;
      if (this.#view) this.#writeSoon();
    });
  }

  async #save(view: TablesView): Promise<void> {
    const { clock } = this.#options;
    try {
      const startedMs = clock.monotonic();
      const bytes = encode(view);
      this.#tookMs = clock.monotonic() - startedMs;
      await this.#replace(bytes);
    } catch (error) {
      // The next change is another try, and a manager tells all of it anew.
      this.#warn(error, 'the tables of the networks cannot be kept');
    }
  }

  /** Not synced: after a power cut the kernel has nothing of what the tables say. */
  async #replace(bytes: Uint8Array): Promise<void> {
    const { directory, disk } = this.#options;
    try {
      await disk.replaceFile(this.#path, bytes);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      await disk.makeDirectory(directory, 0o700);
      await disk.replaceFile(this.#path, bytes);
    }
  }

  #warn(error: unknown, message: string): void {
    this.#options.logger.warn({ error: errorMessage(error) }, message);
  }
}

function encode(view: TablesView): Uint8Array {
  const networks = view.networks();
  const kept = {
    format: FORMAT,
    version: String(view.version),
    networks,
    nodes: networks.flatMap(({ id }) => view.nodes(id)).map(withKeyText),
    services: networks.flatMap(({ id }) => view.services(id)),
    endpoints: networks.flatMap(({ id }) => view.endpoints(id)),
  };
  return Buffer.from(JSON.stringify(kept));
}

type KeptNode = Omit<NetworkNode, 'wireguardKey'> & { wireguardKey: string };

function withKeyText(node: NetworkNode): KeptNode {
  return { ...node, wireguardKey: Buffer.from(node.wireguardKey).toString('base64') };
}

interface Kept extends Omit<TableUpdate, 'version' | 'complete' | 'nodes' | 'gone'> {
  format: number;
  version: string;
  nodes: KeptNode[];
}

/** Throws when it is of another format, or spoilt. */
function decode(bytes: Uint8Array): TableUpdate {
  const { format, nodes, version, ...rows } = JSON.parse(Buffer.from(bytes).toString()) as Kept;
  if (format !== FORMAT) throw new Error(`format ${format} is not known`);
  return {
    ...rows,
    version: BigInt(version),
    complete: true,
    nodes: nodes.map((node) => ({
      ...node,
      wireguardKey: new Uint8Array(Buffer.from(node.wireguardKey, 'base64')),
    })),
    gone: [],
  };
}
