/**
 * Changes to nftables of the `ip` family, in terms that the real and the simulated kernel both
 * understand.
 */

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
  /** Also in place of what has its name. */
  | { kind: 'chain-add'; table: string; chain: string; rules: string[] }
  | { kind: 'set-flush'; table: string; set: string }
  /** Refused by the kernel when a key is there with another value. */
  | { kind: 'elements-add'; table: string; set: string; elements: NftElement[] }
  /** Takes away what is there, and accepts that it is not; refused when a key has another value. */
  | { kind: 'elements-remove'; table: string; set: string; elements: NftElement[] };

/** How many of a chain's lines are rules: the first may be what hooks it up. */
export function ruleCount(lines: readonly string[]): number {
  return lines.filter((line) => !/^type \w+ hook /.test(line)).length;
}

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
      return [
        `add table ip ${table}`,
        `delete table ip ${table}`,
        renderLayout(table, change.layout),
      ].join('\n');
    case 'table-remove':
      return `delete table ip ${table}`;
    case 'set-flush':
      return `flush set ip ${table} ${change.set}`;
    case 'chain-add':
      // Rules given to a chain are appended, so what it had goes first.
      return [
        `add chain ip ${table} ${change.chain}`,
        `flush chain ip ${table} ${change.chain}`,
        `table ip ${table} {\nchain ${change.chain} {\n${change.rules.join('\n')}\n}\n}`,
      ].join('\n');
    case 'elements-add':
      return `add element ip ${table} ${change.set} { ${renderElements(change.elements)} }`;
    case 'elements-remove': {
      // Adding first makes the removal succeed also where the element is gone; all in one
      // transaction.
      const set = `element ip ${table} ${change.set}`;
      const keys = change.elements.map(({ key }) => key).join(', ');
      return `add ${set} { ${renderElements(change.elements)} }\ndelete ${set} { ${keys} }`;
    }
  }
}

/** The text that nft takes; changes without elements leave nothing behind. */
export function renderNft(changes: readonly NftChange[]): string {
  return changes
    .filter((change) => !('elements' in change) || change.elements.length > 0)
    .map(renderChange)
    .join('\n');
}
