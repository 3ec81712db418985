import type { NftChange, NftElement } from '../rules/nft.js';
import { type Pick, pickChain, pickMark } from './pick.js';
import { BalanceSet } from './sets.js';

/** Elements of a table by set: key → value, as the kernel tells them. */
export type Elements = ReadonlyMap<string, ReadonlyMap<string, string>>;

interface Touched {
  before: string | undefined;
  after: string | undefined;
}

/** What changes in the sets of a table, however often one element is touched on the way. */
export class ElementDiff {
  readonly #sets = new Map<string, Map<string, Touched>>();
  /** Picks that the new elements lead to, by chain. */
  readonly picks = new Map<string, Pick>();

  /** The whole way from what the kernel has to what it should have. Picks stay, as their chains do. */
  static between(kernel: Elements, wanted: Elements): ElementDiff {
    const diff = new ElementDiff();
    for (const set of new Set([...kernel.keys(), ...wanted.keys()])) {
      const standing = kernel.get(set) ?? new Map<string, string>();
      const target = wanted.get(set) ?? new Map<string, string>();
      for (const [key, value] of standing) {
        const stays = set === BalanceSet.PICKS ? value : undefined;
        diff.note(set, key, value, target.get(key) ?? stays);
      }
      for (const [key, value] of target) {
        if (!standing.has(key)) diff.note(set, key, undefined, value);
      }
    }
    return diff;
  }

  /** Undefined: not there. */
  note(set: string, key: string, before: string | undefined, after: string | undefined): void {
    let elements = this.#sets.get(set);
    if (!elements) this.#sets.set(set, (elements = new Map()));
    const touched = elements.get(key);
    if (touched) touched.after = after;
    else elements.set(key, { before, after });
  }

  get isEmpty(): boolean {
    return this.#sets.size === 0;
  }

  /** What is there afterwards, of the elements that are touched. */
  target(): Elements {
    const ofSet = ([set, elements]: [string, Map<string, Touched>]) => {
      const left = [...elements].flatMap(([key, { after }]): [string, string][] =>
        after === undefined ? [] : [[key, after]],
      );
      return [set, new Map(left)] as const;
    };
    return new Map([...this.#sets].map(ofSet));
  }

  /**
   * Both at once, of parts that hold different elements; one that leaves the one part for the other
   * is in both.
   */
  with(other: ElementDiff): ElementDiff {
    const merged = new ElementDiff();
    for (const part of [this, other]) {
      for (const pick of part.picks.values()) merged.requires(pick);
      for (const [set, elements] of part.#sets) {
        for (const [key, { before, after }] of elements) merged.#add(set, key, before, after);
      }
    }
    return merged;
  }

  #add(set: string, key: string, before: string | undefined, after: string | undefined): void {
    const known = this.#sets.get(set)?.get(key);
    this.note(set, key, before, after ?? known?.after);
    if (known) known.before ??= before;
  }

  requires(pick: Pick): void {
    const chain = pickChain(pick);
    this.picks.set(chain, pick);
    this.note(BalanceSet.PICKS, pickMark(pick), undefined, `goto ${chain}`);
  }

  /** Keys that are there before, and not afterwards. */
  removedFrom(set: string): string[] {
    const elements = [...(this.#sets.get(set) ?? [])];
    return elements.flatMap(([key, { before, after }]) =>
      before !== undefined && after === undefined ? [key] : [],
    );
  }

  /** For one transaction: removals, then what is new. Empty when nothing changes. */
  changes(table: string): NftChange[] {
    const sets = [...this.#sets].map(([set, elements]) => {
      const changed = [...elements].filter(([, { before, after }]) => before !== after);
      return { set, changed };
    });
    const of = (kind: 'elements-remove' | 'elements-add', side: keyof Touched): NftChange[] =>
      sets.flatMap(({ set, changed }) => {
        const elements = changed.flatMap(([key, touched]) => elementOf(key, touched[side]));
        return elements.length > 0 ? [{ kind, table, set, elements }] : [];
      });
    return [...of('elements-remove', 'before'), ...of('elements-add', 'after')];
  }
}

/** Sets have keys alone. */
function elementOf(key: string, value: string | undefined): NftElement[] {
  if (value === undefined) return [];
  return [value === '' ? { key } : { key, value }];
}
