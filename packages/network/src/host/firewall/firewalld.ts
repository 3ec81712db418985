import { type Processes, runOrThrow } from '@skep/platform';

export interface FirewalldOptions {
  processes: Processes;
  /** From which containers begin connections. */
  links: readonly string[];
}

/** Its zone for links whose packets it lets through. */
const ZONE = 'trusted';
const PROGRAM = 'firewall-cmd';

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
    const { processes, links } = this.#options;
    let changed = false;
    for (const link of links) {
      if (await this.#isIn(link)) continue;
      await runOrThrow(processes, PROGRAM, [`--zone=${ZONE}`, `--add-interface=${link}`]);
      changed = true;
    }
    return changed;
  }

  /** Takes the links out again, but for those that an administrator has put there for good. */
  async leave(): Promise<boolean> {
    const { processes, links } = this.#options;
    let changed = false;
    for (const link of links) {
      const { stdout } = await processes.run(PROGRAM, [`--get-zone-of-interface=${link}`]);
      if (stdout.trim() !== ZONE || (await this.#isIn(link, '--permanent'))) continue;
      await runOrThrow(processes, PROGRAM, [`--zone=${ZONE}`, `--remove-interface=${link}`]);
      changed = true;
    }
    return changed;
  }

  /** The program fails for a link that is in no zone, as it does when nobody answers it. */
  async #isIn(link: string, ...which: string[]): Promise<boolean> {
    const args = [...which, `--get-zone-of-interface=${link}`];
    return (await this.#options.processes.run(PROGRAM, args)).code === 0;
  }
}
