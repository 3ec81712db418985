import { type Cancel, type Clock, errorMessage, type Logger } from '@skep/platform';
import { HOST, type NetKernel } from '../kernel/contract.js';
import { HOST_COMPARE_MS } from '../limits.js';
import type { Names } from '../names.js';
import type { PortBook } from '../ports/book.js';
import { bindingElement, bindingSet, HostSet, hostTable } from '../rules/host-table.js';
import { ruleCount, type TableLayout } from '../rules/nft.js';

export interface HostRulesOptions {
  kernel: NetKernel;
  clock: Clock;
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
  #generation: number | undefined;
  #cancel: Cancel = () => {};

  constructor(options: HostRulesOptions) {
    const { names, subnets } = options;
    this.#options = options;
    const { bridge: bridgeSubnet, gateway: gatewaySubnet } = subnets;
    this.#layout = hostTable({ names, bridgeSubnet, gatewaySubnet });
  }

  /** Puts the table in place with everything that is bound, and looks after it from then on. */
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
    this.#generation = undefined;
    this.#lookLater();
  }

  close(): void {
    this.#cancel();
  }

  #lookLater(): void {
    this.#cancel();
    this.#cancel = this.#options.clock.after(HOST_COMPARE_MS, () => void this.#look());
  }

  /** Rules that somebody flushed come back, with what is bound. */
  async #look(): Promise<void> {
    const { logger, names } = this.#options;
    try {
      if (await this.#isWhole()) return;
      logger.warn({ table: names.table }, 'rules of this host were gone; putting them back');
      await this.load();
    } catch (error) {
      logger.error({ error: errorMessage(error) }, 'rules of this host not compared');
    } finally {
      this.#lookLater();
    }
  }

  async #isWhole(): Promise<boolean> {
    const { kernel, names } = this.#options;
    const generation = await kernel.rulesGeneration(HOST);
    if (generation === this.#generation) return true;
    const counts = await kernel.ruleCounts(HOST, names.table);
    const chains = Object.entries(this.#layout.chains);
    const isWhole = chains.every(([chain, rules]) => counts?.get(chain) === ruleCount(rules));
    this.#generation = isWhole ? generation : undefined;
    return isWhole;
  }
}
