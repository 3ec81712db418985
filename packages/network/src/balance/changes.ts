import type { NftChange } from '../rules/nft.js';
import type { ElementDiff } from './element-diff.js';
import { pickChain, pickRules } from './pick.js';
import { BalanceSet } from './sets.js';

/** One kernel table that is balanced by. */
export interface BalanceTable {
  name: string;
  /** Picks that a chain exists for. Chains stay: there are few, and the next scale-up uses them. */
  chains: Set<string>;
  /** See {@link pickRules}. */
  translation: string;
}

/**
 * For one transaction after the other: slots are freed by a second one. A packet that the first one
 * meets between the choice of a slot and what stands in it would find nothing there.
 */
export function balanceTransactions(diff: ElementDiff, table: BalanceTable): NftChange[][] {
  const freed = new Set(diff.removedFrom(BalanceSet.BACKENDS));
  const transactions: [NftChange[], NftChange[]] = [[], []];
  for (const change of balanceChanges(diff, table)) {
    if (change.kind !== 'elements-remove' || change.set !== BalanceSet.BACKENDS) {
      transactions[0].push(change);
      continue;
    }
    for (const [place, transaction] of transactions.entries()) {
      const elements = change.elements.filter(({ key }) => freed.has(key) === (place === 1));
      if (elements.length > 0) transaction.push({ ...change, elements });
    }
  }
  return transactions.filter((changes) => changes.length > 0);
}

/**
 * For one transaction: chains that are not there yet (noted in the table), then the elements. Those
 * that lead to chains only with new ones: verdicts take the kernel longest.
 */
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
  const isKnown = ({ kind, set }: NftChange & { set?: string }) =>
    missing.length === 0 && kind === 'elements-add' && set === BalanceSet.PICKS;
  return [...chains, ...diff.changes(table.name).filter((change) => !isKnown(change))];
}
