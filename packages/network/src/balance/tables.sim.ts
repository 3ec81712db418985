import type { SimTable } from '../kernel/simulated/tables.js';
import { slotKey } from './layout.js';
import { BalanceSet } from './sets.js';

/**
 * Backends by key as the rules of a table would pick them. Throws where a pick could miss, where a
 * chain is missing, and where elements are left over.
 */
export function balancedBy(table: SimTable | undefined): Record<string, string[]> {
  const slots = table?.sets.get(BalanceSet.BACKENDS)?.elements ?? new Map<string, string>();
  const services = table?.sets.get(BalanceSet.SERVICES)?.elements ?? new Map<string, string>();
  const found: Record<string, string[]> = {};
  for (const [key, mark] of services) {
    const verdict = table?.sets.get(BalanceSet.PICKS)?.elements.get(mark) ?? `nothing at ${mark}`;
    const chain = verdict.replace('goto ', '');
    if (!table?.chains.has(chain)) throw new Error(`no chain ${chain}`);
    const count = chain === 'refuse' ? 0 : Number(chain.replace(/^(pick|keep)_/, ''));
    const targets = Array.from({ length: count }, (_, slot) => {
      const target = slots.get(slotKey(key, slot));
      if (!target) throw new Error(`${key} has no slot ${slot} of ${count}`);
      return target;
    });
    if (new Set(targets).size !== count) throw new Error(`${key} has a backend twice`);
    found[key] = targets.sort();
  }
  const used = Object.values(found).flat().length;
  if (slots.size !== used) throw new Error(`${slots.size} slots, ${used} in use`);
  return found;
}
