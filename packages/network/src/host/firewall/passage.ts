import { errorMessage, type Logger, type Processes } from '@skep/platform';
import { type BaseChainView, HOST, type NetKernel } from '../../kernel/contract.js';
import type { Names } from '../../names.js';
import { Firewalld } from './firewalld.js';
import { type Flavour, Iptables } from './iptables.js';

export interface PassageOptions {
  kernel: NetKernel;
  processes: Processes;
  logger: Logger;
  names: Names;
  /** False: nothing of ours is put among others' rules, and what is there goes. */
  mayOpen: boolean;
}

/** Firewalls of others that packets of ours pass, or do not. */
export type KnownFirewall = `iptables-${Flavour}` | 'firewalld';

/** What stands on the host now. */
export interface Standing {
  chains: readonly BaseChainView[];
  /** Tables of legacy iptables. */
  legacyTables: readonly string[];
}

const FIREWALLD_TABLE = 'firewalld';

export function isOfIptables({ family, table, chain }: BaseChainView): boolean {
  return family === 'ip' && table === 'filter' && chain === 'FORWARD';
}

export function isOfFirewalld({ family, table }: BaseChainView): boolean {
  return family === 'inet' && table === FIREWALLD_TABLE;
}

/**
 * Keeps the way through other programs' firewalls open for containers, where they drop what is
 * forwarded: an accepting rule of ours in a table of our own would not help, since each program's
 * chain judges for itself.
 */
export class Passage {
  readonly #options: PassageOptions;
  readonly #iptables: Record<Flavour, Iptables>;
  readonly #firewalld: Firewalld;
  /** How many rules firewalld had in each chain when all was well. */
  #firewalldRules = '';
  readonly #failures = new Map<KnownFirewall, string>();

  constructor(options: PassageOptions) {
    this.#options = options;
    const { names, processes } = options;
    const inner = [names.bridge, names.gatewayBridge];
    const shared = { processes, chain: names.forwardChain };
    const links = { inner, asked: [names.ingressLink] };
    const iptables = (flavour: Flavour) => new Iptables({ ...shared, flavour, links });
    this.#iptables = { nft: iptables('nft'), legacy: iptables('legacy') };
    this.#firewalld = new Firewalld({ processes, links: inner });
  }

  /** Whether something could not be done the last time. */
  get hasFailed(): boolean {
    return this.#failures.size > 0;
  }

  /** Resolves which firewalls are closed to packets of ours. Never rejects. */
  async settle(standing: Standing): Promise<ReadonlySet<KnownFirewall>> {
    return this.#settleAll(standing, this.#options.mayOpen);
  }

  /** Takes everything of ours out of others' firewalls. */
  async removeAll(standing: Standing): Promise<void> {
    await this.#settleAll(standing, false);
  }

  async #settleAll({ chains, legacyTables }: Standing, mayOpen: boolean) {
    const closed = new Set<KnownFirewall>();
    const before = new Map(this.#failures);
    this.#failures.clear();
    const settle = async (firewall: KnownFirewall, work: () => Promise<boolean>) => {
      if (!(await this.#tried(firewall, work, before.get(firewall)))) closed.add(firewall);
    };
    const iptables = (flavour: Flavour) =>
      settle(`iptables-${flavour}`, () => this.#settleIptables(flavour, mayOpen));
    if (chains.some(isOfIptables)) await iptables('nft');
    if (legacyTables.includes('filter')) await iptables('legacy');
    if (chains.some(isOfFirewalld)) {
      await settle('firewalld', () => this.#settleFirewalld(mayOpen));
    }
    return closed;
  }

  async #settleIptables(flavour: Flavour, mayOpen: boolean): Promise<boolean> {
    const { isClosed, changed } = await this.#iptables[flavour].settle(mayOpen);
    if (changed) this.#options.logger.info({ flavour, mayOpen }, 'iptables: our rules put right');
    return !isClosed || mayOpen;
  }

  /** Its program takes a quarter of a second: it is asked when firewalld's rules have changed. */
  async #settleFirewalld(mayOpen: boolean): Promise<boolean> {
    const count = async () => {
      const counts = await this.#options.kernel.ruleCounts(HOST, FIREWALLD_TABLE, 'inet');
      return JSON.stringify([mayOpen, ...(counts ?? [])]);
    };
    if ((await count()) === this.#firewalldRules) return mayOpen;
    const changed = await (mayOpen ? this.#firewalld.open() : this.#firewalld.leave());
    if (changed) this.#options.logger.info({ mayOpen }, 'firewalld: zones of our links put right');
    this.#firewalldRules = await count();
    return mayOpen;
  }

  /** A failure is told once. */
  async #tried(
    firewall: KnownFirewall,
    work: () => Promise<boolean>,
    before: string | undefined,
  ): Promise<boolean> {
    try {
      return await work();
    } catch (error) {
      const text = errorMessage(error);
      if (text !== before) {
        this.#options.logger.warn({ firewall, error: text }, 'no way through a firewall');
      }
      this.#failures.set(firewall, text);
      return false;
    }
  }
}
