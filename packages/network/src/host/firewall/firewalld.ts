import { type Processes, runOrThrow } from '@skep/platform';
import { FIREWALL_PROGRAM_MS } from '../../limits.js';

export interface FirewalldOptions {
  processes: Processes;
  /** From which containers begin connections. */
  links: readonly string[];
}

/** Its zone for links whose packets it lets through. */
const ZONE = 'trusted';
const PROGRAM = 'firewall-cmd';
const IN_TIME = { timeoutMs: FIREWALL_PROGRAM_MS };

/**
 * firewalld lets published ports through by itself, and rejects what comes from links that are in no
 * zone. Its table is its own (newer versions have the kernel refuse others' changes), so the links are
 * put into a zone, and only until it ends: its configuration on disk is the administrator's.
 */
export class Firewalld {
  readonly #options: FirewalldOptions;

  constructor(options: FirewalldOptions) {
    this.#options = options;
  }

  /** Links that are in a zone already, whichever, stay there. Resolves whether any was not. */
  async open(): Promise<boolean> {
    const zones = await this.#zones();
    const added = this.#options.links.filter((link) => !zones.has(link));
    return await this.#change('--add-interface', added);
  }

  /** Takes the links out again, but for those that an administrator has put there for good. */
  async leave(): Promise<boolean> {
    const { processes, links } = this.#options;
    const zones = await this.#zones();
    const removed: string[] = [];
    for (const link of links.filter((one) => zones.get(one) === ZONE)) {
      const isKept = ['--permanent', `--get-zone-of-interface=${link}`];
      if ((await processes.run(PROGRAM, isKept, IN_TIME)).code !== 0) removed.push(link);
    }
    return await this.#change('--remove-interface', removed);
  }

  async #change(flag: string, links: readonly string[]): Promise<boolean> {
    if (links.length === 0) return false;
    const args = [`--zone=${ZONE}`, ...links.map((link) => `${flag}=${link}`)];
    await runOrThrow(this.#options.processes, PROGRAM, args, IN_TIME);
    return true;
  }

  /** Link → zone. A zone's name stands in a line of its own, what is in it indented below. */
  async #zones(): Promise<Map<string, string>> {
    const { processes } = this.#options;
    const listed = await runOrThrow(processes, PROGRAM, ['--get-active-zones'], IN_TIME);
    const zones = new Map<string, string>();
    let zone = '';
    for (const line of listed.split('\n')) {
      const links = /^\s+interfaces: (.*)$/.exec(line)?.[1];
      if (/^\S/.test(line)) zone = line.split(' ')[0] ?? '';
      for (const link of links?.split(' ') ?? []) zones.set(link, zone);
    }
    return zones;
  }
}
