/** Changes to nftables of the `ip` family, in terms that the real and the simulated kernel both understand. */

export interface NftElement {
  /** Parts joined by ` . `, as nft prints them: `tcp . 8080`. */
  key: string;
  /** What a map holds for the key; absent in a set. */
  value?: string;
}

export type NftChange =
  /** Puts a table in place of what has its name, without a gap in between. */
  | { kind: 'table-replace'; table: string; layout: TableLayout }
  | { kind: 'table-remove'; table: string }
  | { kind: 'chain-add'; table: string; chain: string; rules: string[] }
  /** Refused by the kernel when a key is there with another value. */
  | { kind: 'elements-add'; table: string; set: string; elements: NftElement[] }
  /** Refused by the kernel when a key is not there. */
  | { kind: 'elements-remove'; table: string; set: string; keys: string[] };

export interface TableLayout {
  /** Name → declaration (`type … : …;`) of each set and map. */
  sets: Record<string, { kind: 'set' | 'map'; declaration: string }>;
  /** Name → lines, the first of which may be a hook's `type … hook …`. */
  chains: Record<string, string[]>;
}

function renderElements(elements: readonly NftElement[]): string {
  return elements
    .map(({ key, value }) => (value === undefined ? key : `${key} : ${value}`))
    .join(', ');
}

function renderLayout(table: string, layout: TableLayout): string {
  const sets = Object.entries(layout.sets).map(
    ([name, set]) => `${set.kind} ${name} { ${set.declaration} }`,
  );
  const chains = Object.entries(layout.chains).map(
    ([name, lines]) => `chain ${name} {\n${lines.join('\n')}\n}`,
  );
  return `table ip ${table} {\n${[...sets, ...chains].join('\n')}\n}`;
}

function renderChange(change: NftChange): string {
  const { table } = change;
  switch (change.kind) {
    case 'table-replace':
      // `add` first, so that `delete` finds something on a first run; all within one transaction.
      return `add table ip ${table}\ndelete table ip ${table}\n${renderLayout(table, change.layout)}`;
    case 'table-remove':
      return `delete table ip ${table}`;
    case 'chain-add':
      return `table ip ${table} { chain ${change.chain} {\n${change.rules.join('\n')}\n} }`;
    case 'elements-add':
      return `add element ip ${table} ${change.set} { ${renderElements(change.elements)} }`;
    case 'elements-remove':
      return `delete element ip ${table} ${change.set} { ${change.keys.join(', ')} }`;
  }
}

/** The text that nft takes; changes without elements leave nothing behind. */
export function renderNft(changes: readonly NftChange[]): string {
  return changes
    .filter((change) => change.kind !== 'elements-add' || change.elements.length > 0)
    .filter((change) => change.kind !== 'elements-remove' || change.keys.length > 0)
    .map(renderChange)
    .join('\n');
}
