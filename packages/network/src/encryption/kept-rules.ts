import { HOST, type NetKernel } from '../kernel/contract.js';
import { ruleCount, type TableLayout } from '../rules/nft.js';
import { encryptionTable } from './rules.js';

/** The host's rules for encrypted networks in the kernel. */
export class KeptRules {
  readonly #kernel: NetKernel;
  readonly #table: string;
  #layout: TableLayout | undefined;
  /** Of the host's rules when these were last seen to stand. */
  #generation: number | undefined;

  constructor(kernel: NetKernel, table: string) {
    this.#kernel = kernel;
    this.#table = table;
  }

  /** Puts them in place of what stands, without a gap in between. */
  async set(options: Parameters<typeof encryptionTable>[0]): Promise<void> {
    const layout = encryptionTable(options);
    const changes = [{ kind: 'table-replace', table: this.#table, layout } as const];
    await this.#kernel.run([{ op: 'nft', namespace: HOST, changes }]);
    this.#layout = layout;
  }

  /** Whether nobody has taken them away. Costs next to nothing while no rules of this host change. */
  async areStanding(): Promise<boolean> {
    if (!this.#layout) return true;
    const generation = await this.#kernel.rulesGeneration(HOST);
    if (generation === this.#generation) return true;
    const counts = await this.#kernel.ruleCounts(HOST, this.#table);
    const chains = Object.entries(this.#layout.chains);
    const stand = chains.every(([chain, lines]) => counts?.get(chain) === ruleCount(lines));
    this.#generation = stand ? generation : undefined;
    return stand;
  }

  async remove(): Promise<void> {
    this.#layout = undefined;
    const changes = [{ kind: 'table-remove', table: this.#table } as const];
    await this.#kernel.run([{ op: 'nft', namespace: HOST, changes }], { onRefusal: 'continue' });
  }
}
