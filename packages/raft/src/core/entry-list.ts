import { invariant } from '@skep/platform';
import { EntryType, type LogEntry, type LogPosition } from '../log/entry.js';
import { smaller } from './bigints.js';
import { ENTRY_OVERHEAD_BYTES_MAX } from './limits.js';

/** A list of entries that was handed out; peers at the same place in the log share one. */
interface Slice {
  from: bigint;
  bytesMax: number;
  entries: readonly LogEntry[];
}

/**
 * The entries in memory, contiguous from a base; nothing here knows what is durable or committed.
 */
export class EntryList {
  #base: LogPosition;
  #entries: LogEntry[];
  /** The last batch handed out, valid until the list changes. */
  #batch: Slice | undefined;

  constructor(base: LogPosition, entries: readonly LogEntry[]) {
    this.#base = { index: base.index, term: base.term };
    this.#entries = [];
    for (const entry of entries) this.append(entry);
  }

  /** The position before the first entry. */
  get base(): LogPosition {
    return this.#base;
  }

  get lastIndex(): bigint {
    return this.#base.index + BigInt(this.#entries.length);
  }

  get lastTerm(): bigint {
    return this.#entries.at(-1)?.term ?? this.#base.term;
  }

  get last(): LogPosition {
    return { index: this.lastIndex, term: this.lastTerm };
  }

  #offset(index: bigint): number {
    return Number(index - this.#base.index) - 1;
  }

  /** Term of an entry or of the base; undefined for what is compacted away or not there yet. */
  termOf(index: bigint): bigint | undefined {
    if (index === this.#base.index) return this.#base.term;
    return index < this.#base.index ? undefined : this.#entries[this.#offset(index)]?.term;
  }

  /**
   * Whether a log that ends at `other` holds all that could be committed here (Raft paper 5.4.1).
   */
  isUpToDate(other: LogPosition): boolean {
    const { lastTerm } = this;
    return other.term > lastTerm || (other.term === lastTerm && other.index >= this.lastIndex);
  }

  append(entry: LogEntry): void {
    invariant(entry.index === this.lastIndex + 1n, 'a gap in the log', { index: `${entry.index}` });
    this.#entries.push(entry);
    this.#batch = undefined;
  }

  /** Drops the entry at `index` and all that follow. */
  truncateFrom(index: bigint): void {
    const offset = this.#offset(index);
    invariant(offset >= 0, 'entries before the base cannot be dropped', { index: `${index}` });
    this.#entries.length = Math.min(offset, this.#entries.length);
    this.#batch = undefined;
  }

  /** Drops all, and goes on after `base`. */
  reset(base: LogPosition): void {
    this.#base = { index: base.index, term: base.term };
    this.#entries = [];
    this.#batch = undefined;
  }

  /** Drops what precedes and includes `index`, which becomes the base. */
  dropUpTo(index: bigint): void {
    if (index <= this.#base.index) return;
    const term = this.termOf(index);
    invariant(term !== undefined, 'compaction beyond the log', { index: `${index}` });
    this.#entries.splice(0, this.#offset(index) + 1);
    this.#base = { index, term };
  }

  /** Entries from `from` to `to`, both included. */
  slice(from: bigint, to: bigint): readonly LogEntry[] {
    return from > to ? [] : this.#entries.slice(this.#offset(from), this.#offset(to) + 1);
  }

  /**
   * Entries from `from` on that take at most `bytesMax` encoded; at least one where there is one.
   */
  batch(from: bigint, bytesMax: number): readonly LogEntry[] {
    const known = this.#batch;
    if (known?.from === from && known.bytesMax === bytesMax) return known.entries;
    const start = this.#offset(from);
    let end = start;
    for (let bytes = 0; end < this.#entries.length; end++) {
      bytes += this.#entries[end]!.data.length + ENTRY_OVERHEAD_BYTES_MAX;
      if (bytes > bytesMax && end > start) break;
    }
    const entries = this.#entries.slice(start, end);
    this.#batch = { from, bytesMax, entries };
    return entries;
  }

  /**
   * The largest index, at most `index`, whose entry's term is at most `term`; the base at least.
   */
  lastWithTermAtMost(index: bigint, term: bigint): bigint {
    let at = smaller(index, this.lastIndex);
    while (at > this.#base.index && this.termOf(at)! > term) at--;
    return at;
  }

  /** Whether a change of membership stands between the two indexes, both included. */
  hasChange(from: bigint, to: bigint): boolean {
    const end = this.#offset(to);
    for (let at = Math.max(0, this.#offset(from)); at <= end; at++) {
      if (this.#entries[at]?.type !== EntryType.EntryNormal) return true;
    }
    return false;
  }
}
