import { invariant } from '@skep/platform';
import type { LogPosition } from './entry.js';
import type { Segment } from './segment.js';

/** Where an entry's record lies. */
export interface EntryLocation {
  term: bigint;
  segment: Segment;
  offset: number;
  /** Bytes of the record, padding included. */
  length: number;
}

/** The log's entries by index: their terms, and where they lie. Contiguous by construction. */
export class EntryIndex {
  #base: LogPosition = { index: 0n, term: 0n };
  #locations: EntryLocation[] = [];

  /** The position before the first entry. */
  get base(): LogPosition {
    return this.#base;
  }

  get last(): LogPosition {
    const last = this.#locations.at(-1);
    if (!last) return this.#base;
    return { index: this.#base.index + BigInt(this.#locations.length), term: last.term };
  }

  at(index: bigint): EntryLocation | undefined {
    return this.#locations[Number(index - this.#base.index) - 1];
  }

  /**
   * Term of an entry, or of the position before the first; undefined where the log does not reach.
   */
  termOf(index: bigint): bigint | undefined {
    return index === this.#base.index ? this.#base.term : this.at(index)?.term;
  }

  /**
   * Adds an entry. One at an index that is taken replaces that entry and all after it; one at or
   * before the base makes the log start after it (such an entry is older than what was compacted
   * away since).
   */
  put(index: bigint, location: EntryLocation): void {
    if (index <= this.#base.index) {
      this.#base = { index, term: location.term };
      this.#locations = [];
      return;
    }
    const at = Number(index - this.#base.index) - 1;
    invariant(at <= this.#locations.length, 'a gap in the log', { index: String(index) });
    this.#locations.length = at;
    this.#locations.push(location);
  }

  /**
   * Lets the log go on after `start`: keeps entries that agree with it, drops all when they do not.
   */
  startAt(start: LogPosition): void {
    if (this.termOf(start.index) === start.term) return;
    this.#base = start;
    this.#locations = [];
  }

  /** Drops the entries up to and including `index`, which the log must hold. */
  dropUpTo(index: bigint): void {
    if (index <= this.#base.index) return;
    const term = this.termOf(index);
    invariant(term !== undefined, 'compaction beyond the log', { index: String(index) });
    this.#locations.splice(0, Number(index - this.#base.index));
    this.#base = { index, term };
  }
}
