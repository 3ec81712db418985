import { hasErrno } from '@skep/platform';
import type { Effects } from '../core/contract.js';
import { NoSpaceError } from '../errors.js';
import { BATCH_BYTES_MAX, BATCH_ENTRIES_MAX } from '../limits.js';
import { EntryType, type HardState, type LogEntry, smallest } from '../log/entry.js';
import type { LogBatch } from '../log/log.js';
import type { RaftSnapshot } from '../snapshot/file.js';
import type { SnapshotFiles } from '../snapshot/files.js';
import type { DiskState } from './disk-state.js';
import type { Flaws } from './flaws.js';

/** Effects with what goes with them. */
export interface Step {
  effects: Effects;
  /** The snapshot that was accepted, with its contents. */
  received: RaftSnapshot | undefined;
}

export interface PersisterOptions {
  state: DiskState;
  /** These steps, the next in order, are durable. */
  onDurable(steps: readonly Step[]): void;
  /**
   * There is no space for what was to be written; it is dropped, with all that waited behind it.
   */
  onNoSpace(error: NoSpaceError): void;
  /** The log can be written no more. */
  onFailed(error: unknown): void;
  flaws: Flaws | undefined;
}

/**
 * Makes effects durable in their order: one write under way, and what comes meanwhile shares the
 * next.
 */
export class Persister {
  readonly #options: PersisterOptions;
  #hardState: HardState;
  #waiting: Step[] = [];
  /** Whom to tell when something is written. */
  #flushing: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: PersisterOptions) {
    this.#options = options;
    this.#hardState = options.state.log.hardState;
  }

  get isIdle(): boolean {
    return this.#running === undefined;
  }

  push(step: Step): void {
    if (this.#isStopped) return;
    if (this.isIdle && !needsWrite(step)) {
      this.#options.onDurable([step]);
      return;
    }
    this.#waiting.push(step);
    this.#run();
  }

  /**
   * Writes term, vote and commit, if nothing else. Resolves when something is written, or was tried
   * to.
   */
  flush(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushing.push(resolve);
      this.#run();
    });
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Drops what waits, and takes nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#waiting = [];
    this.#tellFlushed(this.#flushing.splice(0));
  }

  #tellFlushed(listeners: readonly (() => void)[]): void {
    for (const listener of listeners) listener();
  }

  #run(): void {
    this.#running ??= this.#writeAll().finally(() => {
      this.#running = undefined;
      if (this.#waiting.length > 0) this.#run();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0 || this.#flushing.length > 0) {
      const steps = this.#takeGroup();
      const flushing = this.#flushing.splice(0);
      try {
        if (flushing.length > 0 || steps.some(needsWrite)) await this.#write(steps);
        if (this.#isStopped) return;
        this.#options.onDurable(steps);
      } catch (error) {
        this.#waiting = [];
        this.#hardState = this.#options.state.log.hardState;
        if (!(error instanceof NoSpaceError)) return this.#options.onFailed(error);
        this.#options.onNoSpace(error);
      } finally {
        this.#tellFlushed(flushing);
      }
    }
  }

  /** The steps to write together. A snapshot goes alone, as the log starts anew after it. */
  #takeGroup(): readonly Step[] {
    let count = 0;
    let [entries, bytes] = [0, 0];
    for (const { effects } of this.#waiting) {
      if (count > 0 && (effects.snapshot || this.#waiting[0]!.effects.snapshot)) break;
      entries += effects.entries.length;
      bytes += effects.entries.reduce((sum, { data }) => sum + data.length, 0);
      if (count > 0 && (entries > BATCH_ENTRIES_MAX || bytes > BATCH_BYTES_MAX)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #write(steps: readonly Step[]): Promise<void> {
    const { log, snapshots } = this.#options.state;
    for (const { effects } of steps) this.#hardState = effects.hardState ?? this.#hardState;
    const received = steps[0]?.received;
    if (received) await saveReceived(snapshots, received);
    const start = received && { index: received.index, term: received.term };
    const parts = split(steps.reduce(replaceFrom, []));
    let last = start?.index ?? log.last.index;
    for (const [number, entries] of parts.entries()) {
      last = entries.at(-1)?.index ?? last;
      const batch: LogBatch = { hardState: this.#hardStateUpTo(last), entries };
      if (start && number === 0) batch.start = start;
      await log.append(batch, isUrgent(entries));
    }
  }

  /** As it is written: no commit beyond the entries that are there. */
  #hardStateUpTo(last: bigint): HardState {
    const { term, vote, commit } = this.#hardState;
    const forgetsVote = this.#options.flaws?.has('vote-not-persisted');
    return { term, vote: forgetsVote ? 0n : vote, commit: smallest(commit, last) };
  }
}

function needsWrite({ effects: { snapshot, entries, hardState } }: Step): boolean {
  return snapshot !== undefined || entries.length > 0 || hardState !== undefined;
}

async function saveReceived(snapshots: SnapshotFiles, received: RaftSnapshot): Promise<void> {
  try {
    await snapshots.save(received);
  } catch (error) {
    throw hasErrno(error, 'ENOSPC', 'EDQUOT') ? new NoSpaceError({ cause: error }) : error;
  }
}

/**
 * Entries as they stand after one more step: the first index taken replaces what stands there and
 * after.
 */
function replaceFrom(entries: readonly LogEntry[], { effects }: Step): readonly LogEntry[] {
  const first = effects.entries[0];
  if (!first) return entries;
  return [...entries.filter(({ index }) => index < first.index), ...effects.entries];
}

/** Parts of a size to write at a time; one, empty, where there are no entries. */
function split(entries: readonly LogEntry[]): readonly (readonly LogEntry[])[] {
  const parts: LogEntry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    const part = parts.at(-1)!;
    bytes += entry.data.length;
    if (part.length === 0 || (part.length < BATCH_ENTRIES_MAX && bytes <= BATCH_BYTES_MAX)) {
      part.push(entry);
    } else {
      parts.push([entry]);
      bytes = entry.data.length;
    }
  }
  return parts;
}

/**
 * Whether a batch may use the space kept in reserve: votes, what opens a term, changes of
 * membership.
 */
function isUrgent(entries: readonly LogEntry[]): boolean {
  return entries.every(({ type, data }) => type !== EntryType.EntryNormal || data.length === 0);
}
