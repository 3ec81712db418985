import type { NftChange } from '../rules/nft.js';
import type { ElementDiff } from './element-diff.js';
import { pickChain, pickRules } from './pick.js';

/** One kernel table that is balanced by. */
export interface BalanceTable {
  name: string;
  /** Picks that a chain exists for. Chains stay: there are few, and the next scale-up uses them. */
  chains: Set<string>;
  /** See {@link pickRules}. */
  translation: string;
}

/** For one transaction: chains that are not there yet (noted in the table), then the elements. */
export function balanceChanges(diff: ElementDiff, table: BalanceTable): NftChange[] {
  const missing = [...diff.picks.values()].filter((pick) => !table.chains.has(pickChain(pick)));
  const chains = missing.map((pick): NftChange => {
    const chain = pickChain(pick);
    table.chains.add(chain);
    return {
      kind: 'chain-add',
      table: table.name,
      chain,
      rules: pickRules(pick, table.translation),
    };
  });
  return [...chains, ...diff.changes(table.name)];
}
