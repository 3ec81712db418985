import type { Logger } from '@skep/platform';
import { HOST, type NetKernel } from '../kernel/contract.js';
import type { Names } from '../names.js';
import type { PortBook } from '../ports/book.js';
import { bindingElement, bindingSet, HostSet, hostTable } from '../rules/host-table.js';
import { ruleCount, type TableLayout } from '../rules/nft.js';

export interface HostRulesOptions {
  kernel: NetKernel;
  logger: Logger;
  names: Names;
  book: PortBook;
  /** Of the default bridge, and of the gateway bridge. */
  subnets: { bridge: string; gateway: string };
}

/** The host's own table: ways out, and ports that containers are bound to. */
export class HostRules {
  readonly #options: HostRulesOptions;
  readonly #layout: TableLayout;

  constructor(options: HostRulesOptions) {
    const { names, subnets } = options;
    this.#options = options;
    const { bridge: bridgeSubnet, gateway: gatewaySubnet } = subnets;
    this.#layout = hostTable({ names, bridgeSubnet, gatewaySubnet });
  }

  /** Puts the table in place with everything that is bound. */
  async load(): Promise<void> {
    const { book, kernel, names } = this.#options;
    const { table } = names;
    const fill = (set: string) => {
      const elements = book.bindings().filter((binding) => bindingSet(binding) === set);
      return { kind: 'elements-add', table, set, elements: elements.map(bindingElement) } as const;
    };
    const replace = { kind: 'table-replace', table, layout: this.#layout } as const;
    const changes = [replace, fill(HostSet.BOUND), fill(HostSet.BOUND_AT)];
    await kernel.run([{ op: 'nft', namespace: HOST, changes }]);
  }

  /** Rules that somebody flushed come back, with what is bound. Resolves whether all stood. */
  async settle(): Promise<boolean> {
    const { logger, names } = this.#options;
    if (await this.#isWhole()) return true;
    logger.warn({ table: names.table }, 'rules of this host were gone; putting them back');
    await this.load();
    return false;
  }

  async #isWhole(): Promise<boolean> {
    const { kernel, names } = this.#options;
    const counts = await kernel.ruleCounts(HOST, names.table);
    const chains = Object.entries(this.#layout.chains);
    return chains.every(([chain, rules]) => counts?.get(chain) === ruleCount(rules));
  }
}
