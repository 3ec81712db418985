import type { Disk } from '@skep/platform';
import type { MachineRecord } from '../contract.js';
import type { Layout } from '../layout.js';
import { ROUTER_NUMBER } from '../limits.js';
import { addressIn } from '../switch/subnet.js';

const FILE_MODE = 0o644;

/** /etc/hosts of a machine: itself, the host, and all other machines of the set. */
export function hostsFile(own: MachineRecord, all: readonly MachineRecord[]): string {
  const others = all.filter(({ name }) => name !== own.name);
  const lines = ['127.0.0.1\tlocalhost', '::1\tlocalhost ip6-localhost ip6-loopback'];
  for (const { address, name } of [own, ...others]) lines.push(`${address}\t${name}`);
  return `${lines.join('\n')}\n`;
}

/** A machine's own files of /etc. They are mounted one by one, so they are written in place. */
export class EtcFiles {
  readonly #layout: Layout;
  readonly #disk: Disk;

  constructor(deps: { layout: Layout; disk: Disk }) {
    this.#layout = deps.layout;
    this.#disk = deps.disk;
  }

  async write(record: MachineRecord, all: readonly MachineRecord[]): Promise<void> {
    const directory = this.#layout.etc(record.name);
    await this.#disk.makeDirectory(directory, 0o755);
    await this.#put(`${directory}/hosts`, hostsFile(record, all));
    await this.#put(`${directory}/hostname`, `${record.name}\n`);
    // Nobody answers there, and says so at once: a name not known is not waited for.
    const router = addressIn(`${record.address}/24`, ROUTER_NUMBER);
    await this.#put(`${directory}/resolv.conf`, `nameserver ${router}\n`);
  }

  /** Tells all machines of each other, running or not. */
  async tellAll(all: readonly MachineRecord[]): Promise<void> {
    for (const record of all) {
      const path = `${this.#layout.etc(record.name)}/hosts`;
      if (await this.#disk.stat(path)) await this.#put(path, hostsFile(record, all));
    }
  }

  async #put(path: string, text: string): Promise<void> {
    const data = Buffer.from(text);
    if (!(await this.#disk.stat(path))) return this.#disk.writeFileAtomic(path, data, FILE_MODE);
    const file = await this.#disk.open(path, 'read-write');
    try {
      await file.truncate(0);
      await file.write(0, data);
    } finally {
      await file.close();
    }
  }
}
