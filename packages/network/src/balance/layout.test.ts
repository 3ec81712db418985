import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimTables } from '../kernel/simulated/tables.js';
import type { NftChange } from '../rules/nft.js';
import { balanceChanges, balanceTransactions } from './changes.js';
import { ElementDiff } from './element-diff.js';
import { type Balanced, BalanceLayout } from './layout.js';
import { BalanceSet } from './sets.js';
import { arrange } from './slots.js';
import { balancedBy } from './tables.sim.js';

const TABLE = 't';
const layoutOf = { kind: 'map', declaration: 'type ipv4_addr : mark;' } as const;

function changesOf(diff: ElementDiff): NftChange[] {
  return balanceChanges(diff, { name: TABLE, chains: new Set(), translation: 'translate' });
}

function emptyTables(): SimTables {
  const sets = Object.fromEntries(Object.values(BalanceSet).map((set) => [set, layoutOf]));
  const tables = new SimTables();
  tables.apply([{ kind: 'table-replace', table: TABLE, layout: { sets, chains: {} } }]);
  return tables;
}

const target = fc.integer({ min: 1, max: 9 }).map((number) => `10.0.0.${number}`);
const balanced = fc.record({
  targets: fc.uniqueArray(target, { maxLength: 7 }),
  choice: fc.constantFrom('random' as const, 'client' as const),
});
const step = fc.record({
  key: fc.constantFrom('a', 'b', 'c'),
  wanted: fc.option(balanced, { nil: undefined }),
});
const steps = fc.array(step, { maxLength: 40 });

function expected(truth: ReadonlyMap<string, Balanced>): Record<string, string[]> {
  return Object.fromEntries([...truth].map(([key, { targets }]) => [key, [...targets].sort()]));
}

describe('a layout of backends', () => {
  it('brings the table to what is wanted, in whatever order things come and go', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 5 }), (batches) => {
        const layout = new BalanceLayout();
        const tables = emptyTables();
        const truth = new Map<string, Balanced>();
        for (const batch of batches) {
          const diff = new ElementDiff();
          for (const { key, wanted } of batch) {
            layout.set(key, wanted, diff);
            if (wanted) truth.set(key, wanted);
            else truth.delete(key);
          }
          tables.apply(changesOf(diff));
          expect(balancedBy(tables.get(TABLE))).toEqual(expected(truth));
        }
        const fresh = emptyTables();
        const all = new ElementDiff();
        layout.addTo(all);
        fresh.apply(changesOf(all));
        for (const set of [BalanceSet.SERVICES, BalanceSet.BACKENDS]) {
          expect(elementsOf(fresh).get(set)).toEqual(elementsOf(tables).get(set));
        }
      }),
    );
  });

  it('goes on from the slots in the kernel, and touches only what is not right there', () => {
    const choices = fc.dictionary(fc.constantFrom('a', 'b'), balanced);
    fc.assert(
      fc.property(choices, choices, (before, after) => {
        const first = new BalanceLayout();
        const standing = new ElementDiff();
        for (const [key, wanted] of Object.entries(before)) first.set(key, wanted, standing);
        const tables = emptyTables();
        tables.apply(changesOf(standing));

        const second = new BalanceLayout();
        const kernel = elementsOf(tables);
        second.adopt(kernel, () => true);
        for (const key of new Set([...second.keys(), ...Object.keys(after)])) {
          second.set(key, after[key], new ElementDiff());
        }
        const wanted = new ElementDiff();
        second.addTo(wanted);
        const fresh = emptyTables();
        fresh.apply(changesOf(wanted));
        const diff = ElementDiff.between(kernel, elementsOf(fresh));
        tables.apply(changesOf(wanted).filter(({ kind }) => kind === 'chain-add'));
        tables.apply(diff.changes(TABLE));
        expect(balancedBy(tables.get(TABLE))).toEqual(expected(new Map(Object.entries(after))));
        const same = JSON.stringify(sorted(before)) === JSON.stringify(sorted(after));
        if (same) expect(diff.changes(TABLE)).toEqual([]);
      }),
    );
  });

  it('adopts nothing from slots that cannot be', () => {
    const layout = new BalanceLayout();
    const slots = new Map([
      ['a . 0x00000001', '10.0.0.2'],
      ['a . 0xffffffff', '10.0.0.3'],
      ['a . nonsense', '10.0.0.4'],
    ]);
    layout.adopt(new Map([[BalanceSet.BACKENDS, slots]]), () => true);
    layout.set('a', { targets: ['10.0.0.1', '10.0.0.2'], choice: 'random' }, new ElementDiff());
    expect(layout.get('a')?.targets).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  it('frees slots only once no pick leads to them any more', () => {
    const layout = new BalanceLayout();
    const tables = emptyTables();
    const table = { name: TABLE, chains: new Set<string>(), translation: 'translate' };
    const bring = (targets: string[]) => {
      const diff = new ElementDiff();
      layout.set('a', { targets, choice: 'random' }, diff);
      return balanceTransactions(diff, table);
    };
    for (const changes of bring(['10.0.0.1', '10.0.0.2', '10.0.0.3'])) tables.apply(changes);
    const [first, second, ...others] = bring(['10.0.0.3']);
    expect(others).toEqual([]);
    tables.apply(first ?? []);
    const slots = () => Object.fromEntries(elementsOf(tables).get(BalanceSet.BACKENDS) ?? []);
    expect(elementsOf(tables).get(BalanceSet.SERVICES)?.get('a')).toBe('1');
    expect(slots()).toEqual({ 'a . 0': '10.0.0.3', 'a . 1': '10.0.0.2', 'a . 2': '10.0.0.3' });
    tables.apply(second ?? []);
    expect(slots()).toEqual({ 'a . 0': '10.0.0.3' });
  });

  it('changes the same few elements, however many keys there are', () => {
    const layout = new BalanceLayout();
    const all = new ElementDiff();
    for (let key = 0; key < 2_000; key++) {
      layout.set(`k${key}`, { targets: ['10.0.0.1', '10.0.0.2'], choice: 'random' }, all);
    }
    const diff = new ElementDiff();
    layout.set('k7', { targets: ['10.0.0.2'], choice: 'random' }, diff);
    const chains = new Set(['pick_1']);
    const changes = balanceChanges(diff, { name: TABLE, chains, translation: 'translate' });
    // Out: both slots and the number of two; in: the one slot and its number. No verdicts.
    const touched = changes.map((change) => 'elements' in change && change.elements.length);
    expect(touched).toEqual([1, 2, 1, 1]);
  });
});

it('keeps every target that stays in its slot where there is still room', () => {
  const targets = fc.uniqueArray(target, { maxLength: 9 });
  fc.assert(
    fc.property(targets, targets, (before, wanted) => {
      const after = arrange(before, wanted);
      expect([...after].sort()).toEqual([...wanted].sort());
      for (const [slot, one] of before.slice(0, after.length).entries()) {
        if (wanted.includes(one)) expect(after[slot]).toBe(one);
      }
    }),
  );
});

function elementsOf(tables: SimTables): Map<string, Map<string, string>> {
  const sets = tables.get(TABLE)?.sets ?? new Map();
  return new Map([...sets].map(([name, { elements }]) => [name, new Map(elements)]));
}

function sorted(choices: Record<string, Balanced>): [string, Balanced][] {
  return Object.entries(choices)
    .map(([key, { targets, choice }]): [string, Balanced] => [
      key,
      { targets: [...targets].sort(), choice },
    ])
    .sort(([one], [other]) => (one < other ? -1 : 1));
}
