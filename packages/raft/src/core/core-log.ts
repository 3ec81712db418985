import { invariant } from '@skep/platform';
import type { LogEntry, LogPosition } from '../log/entry.js';
import { larger, smaller } from './bigints.js';
import type { CoreState, SnapshotMeta } from './contract.js';
import { EntryList } from './entry-list.js';
import { APPLY_BYTES_MAX, APPLY_ENTRIES_MAX } from './limits.js';

/** What was handed out to be written and is not known to be durable. */
interface Write {
  sequence: number;
  /**
   * The log up to here is durable when this write is; lowered when its entries are replaced
   * meanwhile.
   */
  upTo: bigint;
}

/** What is to be written next. */
export interface LogWrite {
  snapshot: SnapshotMeta | undefined;
  entries: readonly LogEntry[];
}

const NOTHING: readonly LogEntry[] = [];

/**
 * The log as a core sees it: its entries, and how far they are written, durable, committed and
 * applied.
 */
export class CoreLog {
  readonly entries: EntryList;
  #commit: bigint;
  #applied: bigint;
  /** Last index handed out to be applied. */
  #delivered: bigint;
  /** Last index handed out to be written. */
  #written: bigint;
  #durable: bigint;
  readonly #writes: Write[] = [];
  #snapshot: SnapshotMeta | undefined;

  constructor({ base, entries, hardState, applied }: CoreState) {
    this.entries = new EntryList(base, entries);
    const { lastIndex } = this.entries;
    invariant(hardState.commit <= lastIndex, 'committed entries are missing from the log', {
      commit: `${hardState.commit}`,
      last: `${lastIndex}`,
    });
    invariant(applied >= base.index && applied <= lastIndex, 'applied outside of the log', {
      applied: `${applied}`,
    });
    this.#commit = larger(hardState.commit, applied);
    this.#applied = applied;
    this.#delivered = applied;
    this.#written = lastIndex;
    this.#durable = lastIndex;
  }

  get commit(): bigint {
    return this.#commit;
  }

  get applied(): bigint {
    return this.#applied;
  }

  get durable(): bigint {
    return this.#durable;
  }

  /** Whether a snapshot was accepted that is not durable and restored yet. */
  get isRestoring(): boolean {
    return this.#applied < this.entries.base.index;
  }

  /** Whether a membership change is committed and not applied: who votes is not known for sure. */
  get hasUnappliedChange(): boolean {
    return this.entries.hasChange(this.#applied + 1n, this.#commit);
  }

  /**
   * A leader's entries that follow on an entry held here (or the base). Those held already stay;
   * from the first that differs on, all is replaced. Entries before the base are skipped: they are
   * applied.
   */
  accept(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.entries.base.index) continue;
      const term = this.entries.termOf(entry.index);
      if (term === entry.term) continue;
      if (term !== undefined) this.#truncateFrom(entry.index);
      this.entries.append(entry);
    }
  }

  #truncateFrom(index: bigint): void {
    invariant(index > this.#commit, 'a committed entry would be replaced', { index: `${index}` });
    this.entries.truncateFrom(index);
    const before = index - 1n;
    this.#written = smaller(this.#written, before);
    this.#durable = smaller(this.#durable, before);
    for (const write of this.#writes) write.upTo = smaller(write.upTo, before);
  }

  /** Forgets all entries and goes on after a snapshot, which holds everything up to its index. */
  restore(snapshot: SnapshotMeta): void {
    invariant(snapshot.index > this.#commit, 'a snapshot would undo what is committed');
    this.entries.reset(snapshot);
    for (const write of this.#writes) write.upTo = 0n;
    this.#durable = smaller(this.#durable, this.#commit);
    this.#snapshot = snapshot;
    this.#commit = snapshot.index;
    this.#delivered = snapshot.index;
    this.#written = snapshot.index;
  }

  /**
   * Everything up to `index` is committed; going back is ignored. Returns whether that was news.
   */
  commitTo(index: bigint): boolean {
    if (index <= this.#commit) return false;
    invariant(index <= this.entries.lastIndex, 'a commit beyond the log', { index: `${index}` });
    this.#commit = index;
    return true;
  }

  /** What is to be written since the last call; undefined for nothing. */
  takeWrite(): LogWrite | undefined {
    const { lastIndex } = this.entries;
    const snapshot = this.#snapshot;
    if (!snapshot && this.#written === lastIndex) return undefined;
    const entries = this.entries.slice(this.#written + 1n, lastIndex);
    this.#written = lastIndex;
    this.#snapshot = undefined;
    return { snapshot, entries };
  }

  /** What was taken to be written is in effects of this number. */
  writing(sequence: number): void {
    this.#writes.push({ sequence, upTo: this.#written });
  }

  /** All writes up to this number are durable. */
  persisted(sequence: number): void {
    while (this.#writes.length > 0 && this.#writes[0]!.sequence <= sequence) {
      const { upTo } = this.#writes.shift()!;
      this.#durable = larger(this.#durable, upTo);
    }
  }

  /** Entries that are committed and durable, each once, in order. */
  takeCommitted(): readonly LogEntry[] {
    const ready = smaller(this.#commit, this.#durable);
    if (ready <= this.#delivered) return NOTHING;
    const from = this.#delivered + 1n;
    const bound = this.#delivered + BigInt(APPLY_ENTRIES_MAX);
    const batch = this.entries.slice(from, smaller(ready, bound));
    let count = 0;
    for (let bytes = 0; count < batch.length; count++) {
      bytes += batch[count]!.data.length;
      if (bytes > APPLY_BYTES_MAX && count > 0) break;
    }
    this.#delivered += BigInt(count);
    return count === batch.length ? batch : batch.slice(0, count);
  }

  appliedTo(index: bigint): void {
    invariant(index <= this.#delivered, 'applied what is not committed', { index: `${index}` });
    this.#applied = larger(this.#applied, index);
  }

  /** Drops the entries up to `index`, which must be applied. */
  compact(index: bigint): void {
    invariant(index <= this.#applied, 'compaction of what is not applied', { index: `${index}` });
    this.entries.dropUpTo(index);
  }

  isUpToDate(other: LogPosition): boolean {
    return this.entries.isUpToDate(other);
  }
}
