import type { NftChange, NftElement } from '../../rules/nft.js';
import { SimRefusal } from './refusal.js';

interface SimSet {
  kind: 'set' | 'map';
  elements: Map<string, string>;
}

/** One nftables table: its sets with their elements, and the names and rules of its chains. */
export interface SimTable {
  sets: Map<string, SimSet>;
  chains: Map<string, string[]>;
}

/** The nftables of one simulated namespace. A refused transaction changes nothing. */
export class SimTables {
  #tables = new Map<string, SimTable>();
  /** Transactions so far. */
  generation = 1;

  get(name: string): SimTable | undefined {
    return this.#tables.get(name);
  }

  names(): string[] {
    return [...this.#tables.keys()];
  }

  apply(changes: readonly NftChange[]): void {
    const before = this.#tables;
    this.#tables = structuredClone(before);
    try {
      for (const change of changes) this.#applyOne(change);
      this.generation++;
    } catch (error) {
      this.#tables = before;
      throw error;
    }
  }

  #applyOne(change: NftChange): void {
    switch (change.kind) {
      case 'table-replace':
        this.#tables.set(change.table, emptyTable(change));
        break;
      case 'table-remove':
        this.#require(change.table);
        this.#tables.delete(change.table);
        break;
      case 'chain-add':
        this.#require(change.table).chains.set(change.chain, [...change.rules]);
        break;
      case 'set-flush':
        this.#set(change.table, change.set).elements.clear();
        break;
      case 'elements-add':
        for (const element of change.elements) this.#add(change.table, change.set, element);
        break;
      case 'elements-remove':
        for (const element of change.elements) {
          this.#add(change.table, change.set, element);
          this.#set(change.table, change.set).elements.delete(element.key);
        }
        break;
    }
  }

  #require(name: string): SimTable {
    const table = this.#tables.get(name);
    if (!table) throw new SimRefusal('ENOENT', `no table ${name}`);
    return table;
  }

  #set(table: string, name: string): SimSet {
    const set = this.#require(table).sets.get(name);
    if (!set) throw new SimRefusal('ENOENT', `no set ${name}`);
    return set;
  }

  #add(table: string, name: string, element: NftElement): void {
    const set = this.#set(table, name);
    const value = element.value ?? '';
    if ((set.kind === 'map') !== (element.value !== undefined)) {
      throw new SimRefusal('EINVAL', `${name} is a ${set.kind}`);
    }
    const known = set.elements.get(element.key);
    if (known !== undefined && known !== value) {
      throw new SimRefusal('EEXIST', `${name} has ${element.key} : ${known}`);
    }
    const target = /^goto (.+)$/.exec(value)?.[1];
    if (target && !this.#require(table).chains.has(target)) {
      throw new SimRefusal('ENOENT', `no chain ${target}`);
    }
    set.elements.set(element.key, value);
  }
}

function emptyTable(change: Extract<NftChange, { kind: 'table-replace' }>): SimTable {
  const sets = Object.entries(change.layout.sets).map(
    ([name, { kind }]) => [name, { kind, elements: new Map<string, string>() }] as const,
  );
  return { sets: new Map(sets), chains: new Map(Object.entries(change.layout.chains)) };
}
