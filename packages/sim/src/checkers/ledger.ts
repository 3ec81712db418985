import { must } from '../engine/index.js';

/** What an entry is: its term and a fingerprint of its bytes. */
export interface EntryPrint {
  term: bigint;
  print: string;
}

/** A fingerprint of bytes: FNV-1a with the length. Two different entries of one run hardly ever share one. */
export function printOf(data: Uint8Array): string {
  let word = 0x811c9dc5;
  for (const byte of data) word = Math.imul(word ^ byte, 0x01000193);
  return `${data.length}:${(word >>> 0).toString(16)}`;
}

/**
 * All logs of a cluster as one ledger (Raft, figure 3: log matching and state machine safety): an index and a
 * term name one entry, wherever it is seen; and what one machine applied at an index, all others apply there.
 */
export class Ledger {
  readonly #entries = new Map<string, string>();
  readonly #applied = new Map<bigint, { print: string; machine: string }>();
  #highest = 0n;

  /** Index of the last entry that anyone has applied. */
  get highest(): bigint {
    return this.#highest;
  }

  /** An entry was seen in a log, or on the way to one. */
  seen(index: bigint, { term, print }: EntryPrint): void {
    const key = `${index}/${term}`;
    const before = this.#entries.get(key);
    must(
      before === undefined || before === print,
      'log-matching',
      () => `two entries at index ${index} in term ${term}: ${before} and ${print}`,
    );
    this.#entries.set(key, print);
  }

  /** `machine` applied an entry. */
  applied(machine: string, index: bigint, data: Uint8Array): void {
    const print = printOf(data);
    const before = this.#applied.get(index);
    must(
      before === undefined || before.print === print,
      'same-entries',
      () =>
        `${machine} applied ${print} at index ${index}, ` +
        `where ${before?.machine} applied ${before?.print}`,
    );
    if (!before) this.#applied.set(index, { print, machine });
    if (index > this.#highest) this.#highest = index;
  }
}

/** One machine applies entries in order and each once, from where its snapshot left off. */
export class ApplyOrder {
  readonly #machine: string;
  #last = 0n;

  constructor(machine: string) {
    this.#machine = machine;
  }

  applied(index: bigint): void {
    must(
      index > this.#last,
      'apply-order',
      () => `${this.#machine} applied index ${index} after ${this.#last}`,
    );
    this.#last = index;
  }
}
