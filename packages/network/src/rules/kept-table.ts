import { createHash } from 'node:crypto';
import { type BalanceTable, balanceChanges, balanceTransactions } from '../balance/changes.js';
import { ElementDiff } from '../balance/element-diff.js';
import { pickChain, pickRules } from '../balance/pick.js';
import type { KernelCommand, NamespacePath, NetKernel } from '../kernel/contract.js';
import { type NftChange, ruleCount, type TableLayout } from './nft.js';

export interface KeptTableOptions {
  kernel: NetKernel;
  namespace: NamespacePath;
  table: string;
  layout: TableLayout;
  /** See `pickRules`; only for a table that balances. */
  translation?: string;
}

/** Length of the digest that tells one layout from another. */
const DIGEST_DIGITS = 8;

/**
 * A table of the kernel's that outlives this process, changed element by element. An empty set whose
 * name is made from the rules stands in it, so that rules of another version are known for what they
 * are.
 */
export class KeptTable {
  readonly #options: KeptTableOptions;
  readonly #layout: TableLayout;
  readonly #signature: string;
  readonly #balance: BalanceTable;
  /** Of the namespace's rules, when nobody has changed any since; undefined: not known. */
  #generation: number | undefined;

  constructor(options: KeptTableOptions) {
    this.#options = options;
    const { layout, table, translation = '' } = options;
    const rules = JSON.stringify([layout, translation]);
    const digest = createHash('sha256').update(rules).digest('hex');
    this.#signature = `rules_${digest.slice(0, DIGEST_DIGITS)}`;
    const signature = { kind: 'set', declaration: 'type mark;' } as const;
    this.#layout = { ...layout, sets: { ...layout.sets, [this.#signature]: signature } };
    this.#balance = { name: table, chains: new Set(), translation };
  }

  /** What a change of elements asks of the kernel; nothing when it changes nothing. */
  commands(diff: ElementDiff): KernelCommand[] {
    return balanceTransactions(diff, this.#balance).flatMap((changes) => this.#inOne(changes));
  }

  /** Something went wrong: the next comparison looks at everything. */
  distrust(): void {
    this.#generation = undefined;
  }

  /**
   * Makes the kernel's table hold what `wanted` adds up to from nothing, in one transaction.
   * Resolves how many elements were not as they should be; a table that was missing, or had other
   * rules, counts as one. Nothing is read when the kernel says that no rule of the namespace has
   * changed since the last time, but for this table's own: thousands of elements take a while.
   */
  async compare(wanted: () => ElementDiff): Promise<number> {
    const { kernel, namespace } = this.#options;
    const generation = await kernel.rulesGeneration(namespace);
    if (generation === this.#generation) return 0;
    this.#generation = generation;
    return this.#mend(wanted());
  }

  async #mend(wanted: ElementDiff): Promise<number> {
    const { kernel, namespace, table } = this.#options;
    const standing = await kernel.tableElements(namespace, table);
    this.#balance.chains.clear();
    if (!standing?.has(this.#signature)) {
      const replace = { kind: 'table-replace', table, layout: this.#layout } as const;
      await kernel.run(this.#inOne([replace, ...balanceChanges(wanted, this.#balance)]));
      return 1;
    }
    const diff = ElementDiff.between(standing, wanted.target());
    const lost = await this.#lostChains(wanted);
    const differing = countOf(diff.changes(table)) + lost.length;
    if (differing === 0) return 0;
    for (const pick of wanted.picks.values()) diff.requires(pick);
    await kernel.run(this.#inOne([...lost, ...balanceChanges(diff, this.#balance)]));
    return differing;
  }

  /** Rules can be gone while their sets are not: by `nft flush table`, for one. */
  async #lostChains({ picks }: ElementDiff): Promise<NftChange[]> {
    const { kernel, namespace, table, translation = '' } = this.#options;
    const counts = await kernel.ruleCounts(namespace, table);
    const picking = [...picks.values()]
      .map((pick) => [pickChain(pick), pickRules(pick, translation)] as const)
      .filter(([chain]) => counts?.has(chain)); // others are made with the first that needs them
    return [...Object.entries(this.#layout.chains), ...picking]
      .filter(([chain, rules]) => counts?.get(chain) !== ruleCount(rules))
      .map(([chain, rules]) => ({ kind: 'chain-add', table, chain, rules }));
  }

  /** Puts rules in place that are missing or others; sets and what they hold are left alone. */
  async ensure(): Promise<void> {
    const { kernel, namespace, table } = this.#options;
    const standing = await kernel.tableElements(namespace, table);
    if (standing?.has(this.#signature)) return;
    const replace = { kind: 'table-replace', table, layout: this.#layout } as const;
    await kernel.run(this.#inOne([replace]));
  }

  #inOne(changes: NftChange[]): KernelCommand[] {
    const { namespace } = this.#options;
    if (changes.length === 0) return [];
    if (this.#generation !== undefined) this.#generation++;
    return [{ op: 'nft', namespace, changes }];
  }
}

function countOf(changes: readonly NftChange[]): number {
  const keys = changes.flatMap((change) =>
    'elements' in change ? change.elements.map(({ key }) => `${change.set} ${key}`) : [],
  );
  return new Set(keys).size;
}
