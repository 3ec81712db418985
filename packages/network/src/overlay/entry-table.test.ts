import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KernelCommand, TunnelEntries } from '../kernel/contract.js';
import { SimNamespace } from '../kernel/simulated/namespace.js';
import type { TunnelEntry } from './entries.js';
import { EntryTable } from './entry-table.js';

const neighbour = (key: string, value: string): TunnelEntry => {
  return { kind: 'neighbour', link: 'vxlan0', key, value };
};
const NOTHING: TunnelEntries = { neighbours: [], forwarding: [] };

function table(): EntryTable {
  const made = new EntryTable('/ns', ['vxlan0']);
  made.compare(NOTHING);
  return made;
}

describe('EntryTable', () => {
  it('tells the kernel of what is new, other and gone', () => {
    const entries = table();
    const link = { namespace: '/ns', link: 'vxlan0' };
    entries.set('a', [neighbour('10.0.0.5', 'm1')]);
    const added = { op: 'neighbour-add', ...link, address: '10.0.0.5' };
    expect(entries.changes()).toEqual([{ ...added, mac: 'm1' }]);
    entries.set('a', [neighbour('10.0.0.5', 'm2')]);
    expect(entries.changes()).toEqual([{ ...added, mac: 'm2' }]);
    entries.set('a', []);
    expect(entries.changes()).toEqual([{ op: 'neighbour-remove', ...link, address: '10.0.0.5' }]);
    expect(entries.changes()).toEqual([]);
  });

  it('leaves an address to its next owner when the first goes', () => {
    const entries = table();
    entries.set('old', [neighbour('10.0.0.5', 'm1')]);
    entries.changes();
    entries.set('new', [neighbour('10.0.0.5', 'm2')]);
    entries.set('old', []);
    expect(entries.changes()).toMatchObject([{ op: 'neighbour-add', mac: 'm2' }]);
    entries.set('new', []);
    expect(entries.changes()).toMatchObject([{ op: 'neighbour-remove' }]);
  });

  it('says nothing of what nobody changed, and of other links', () => {
    const entries = table();
    entries.set('a', [neighbour('10.0.0.5', 'm1')]);
    entries.changes();
    const standing = { link: 'vxlan0', address: '10.0.0.5', mac: 'm1' };
    const other = { link: 'host0', address: '10.1.1.1', mac: 'm9' };
    entries.compare({ neighbours: [standing, other], forwarding: [] });
    expect(entries.changes()).toEqual([]);
  });

  it('brings any kernel to what its owners want last', () => {
    const key = fc.constantFrom('k1', 'k2', 'k3');
    const value = fc.constantFrom('v1', 'v2');
    const step = fc.record({
      owner: fc.constantFrom('a', 'b', 'c'),
      entries: fc.uniqueArray(fc.record({ key, value }), { selector: (entry) => entry.key }),
      /** Somebody spoils the kernel, and it is compared. */
      spoil: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const kernel = new SimNamespace();
        kernel.addLink('vxlan0', 'vxlan', 1_450);
        const entries = table();
        const wanted = new Map<string, Map<string, string>>();
        for (const { owner, entries: unsorted, spoil } of steps) {
          const rows = unsorted.toSorted((one, other) => (one.key < other.key ? -1 : 1));
          entries.set(
            owner,
            rows.map((row) => neighbour(row.key, row.value)),
          );
          want(wanted, owner, rows);
          apply(kernel, entries.changes());
          if (spoil) {
            kernel.addEntry(strange('k1'));
            kernel.addEntry(strange('k9'));
            entries.compare(kernel.tunnelEntries());
            apply(kernel, entries.changes());
          }
          const has = kernel.tunnelEntries().neighbours.map((entry) => [entry.address, entry.mac]);
          expect(new Map(has as [string, string][])).toEqual(lastWishes(wanted));
        }
      }),
    );
  });
});

function strange(address: string) {
  return { op: 'neighbour-add', namespace: '/ns', link: 'vxlan0', address, mac: 'x' } as const;
}

function apply(kernel: SimNamespace, commands: readonly KernelCommand[]): void {
  for (const command of commands) {
    if (command.op === 'neighbour-add') kernel.addEntry(command);
    if (command.op === 'neighbour-remove') kernel.removeEntry(command);
  }
}

/** By key, what each owner wants, the latest last: an owner that repeats itself keeps its place. */
function want(
  wanted: Map<string, Map<string, string>>,
  owner: string,
  rows: readonly { key: string; value: string }[],
): void {
  const before = [...wanted].flatMap(([key, owners]) => {
    const value = owners.get(owner);
    return value === undefined ? [] : [`${key} ${value}`];
  });
  const after = rows.map(({ key, value }) => `${key} ${value}`);
  if (before.sort().join() === after.join()) return;
  for (const owners of wanted.values()) owners.delete(owner);
  for (const { key, value } of rows) {
    wanted.set(key, (wanted.get(key) ?? new Map<string, string>()).set(owner, value));
  }
}

function lastWishes(wanted: ReadonlyMap<string, ReadonlyMap<string, string>>) {
  const wishes = [...wanted].flatMap(([key, owners]) => {
    const last = [...owners.values()].at(-1);
    return last === undefined ? [] : [[key, last] as const];
  });
  return new Map(wishes);
}
