import { type Disk, invariant } from '@skep/platform';
import type { MachineRecord } from './contract.js';
import type { Layout } from './layout.js';
import { missing } from './names.js';

/** The process that is a machine: enough to tell it from another that got its number later. */
export interface Boot {
  /** The kernel's, new with each start of the host. */
  bootId: string;
  pid: number;
  /** When the process began, in clock ticks since the host's start. */
  startTicks: number;
}

/** What is kept of machines on disk, as JSON; every write replaces a file whole. */
export class Registry {
  readonly #layout: Layout;
  readonly #disk: Disk;

  constructor(deps: { layout: Layout; disk: Disk }) {
    this.#layout = deps.layout;
    this.#disk = deps.disk;
  }

  async names(): Promise<string[]> {
    const names: string[] = [];
    for (const name of await this.#disk.list(this.#layout.storage)) {
      if (name.startsWith('.')) continue;
      if (await this.#disk.stat(this.#layout.record(name))) names.push(name);
    }
    return names;
  }

  async all(): Promise<MachineRecord[]> {
    return Promise.all((await this.names()).map((name) => this.get(name)));
  }

  /** Rejects with NOT_FOUND when there is no such machine. */
  async get(name: string): Promise<MachineRecord> {
    const record = await this.#read<MachineRecord>(this.#layout.record(name));
    if (!record) throw missing(name);
    invariant(record.name === name, 'a record lies where its name says', { name });
    return record;
  }

  async put(record: MachineRecord): Promise<void> {
    await this.#disk.makeDirectory(this.#layout.directory(record.name), 0o711);
    await this.#write(this.#layout.record(record.name), record);
  }

  boot(name: string): Promise<Boot | undefined> {
    return this.#read<Boot>(this.#layout.boot(name));
  }

  putBoot(name: string, boot: Boot): Promise<void> {
    return this.#write(this.#layout.boot(name), boot);
  }

  dropBoot(name: string): Promise<void> {
    return this.#disk.remove(this.#layout.boot(name));
  }

  async #read<T>(path: string): Promise<T | undefined> {
    if (!(await this.#disk.stat(path))) return undefined;
    return JSON.parse(Buffer.from(await this.#disk.readFile(path)).toString()) as T;
  }

  #write(path: string, value: object): Promise<void> {
    return this.#disk.writeFileAtomic(path, Buffer.from(`${JSON.stringify(value, null, 2)}\n`));
  }
}
