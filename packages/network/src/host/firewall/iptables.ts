import { hasErrno, type Processes, runOrThrow } from '@skep/platform';
import { FIREWALL_PROGRAM_MS } from '../../limits.js';
import { type ForwardPlan, type OurLinks, planForward } from './forward-plan.js';

/** iptables speaks to one of two parts of the kernel, which know nothing of each other's rules. */
export type Flavour = 'nft' | 'legacy';

export interface IptablesOptions {
  processes: Processes;
  flavour: Flavour;
  /** Our own, in the table `filter`. */
  chain: string;
  links: OurLinks;
}

/** Longer than others hold the lock of the old kind, `iptables-restore` of ufw for one. */
const LOCK_WAIT_S = '5';
const IN_TIME = { timeoutMs: FIREWALL_PROGRAM_MS };

/**
 * Our rules in the chain FORWARD that programs of a host share. Spoken to by iptables itself, so that
 * its own listings understand what stands there.
 */
export class Iptables {
  readonly #options: IptablesOptions;
  #program: string | undefined;

  constructor(options: IptablesOptions) {
    this.#options = options;
  }

  /** Compares what stands, and changes what differs. Rejects when iptables is missing, or refuses. */
  async settle(mayOpen: boolean): Promise<Pick<ForwardPlan, 'isClosed'> & { changed: boolean }> {
    const { processes, chain, links } = this.#options;
    this.#program ??= await this.#find();
    const program = this.#program;
    const list = ['-w', LOCK_WAIT_S, '-S'];
    const forward = await runOrThrow(processes, program, [...list, 'FORWARD'], IN_TIME);
    const own = await processes.run(program, [...list, chain], IN_TIME);
    const listing = { forward, own: own.code === 0 ? own.stdout : undefined };
    const { isClosed, changes } = planForward(listing, chain, links, mayOpen);
    if (changes) {
      const restore = ['--noflush', '-w', LOCK_WAIT_S];
      await runOrThrow(processes, `${program}-restore`, restore, { input: changes, ...IN_TIME });
    }
    return { isClosed, changed: changes !== undefined };
  }

  /** Old distributions have one of the two alone, without a name of its own. */
  async #find(): Promise<string> {
    const { processes, flavour } = this.#options;
    for (const program of [`iptables-${flavour}`, 'iptables']) {
      try {
        const { stdout } = await processes.run(program, ['-V']);
        if (stdout.includes('(nf_tables)') === (flavour === 'nft')) return program;
      } catch (error) {
        if (!hasErrno(error, 'ENOENT')) throw error;
      }
    }
    throw new Error(`iptables (${flavour}) is not installed`);
  }
}
