import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../log/entry.js';
import type { CoreState } from './contract.js';
import { CoreLog } from './core-log.js';
import { APPLY_ENTRIES_MAX, ENTRY_OVERHEAD_BYTES_MAX } from './limits.js';
import { entriesOf } from './testing/single.js';

function logOf(terms: readonly number[], state: Partial<CoreState> = {}): CoreLog {
  return new CoreLog({
    id: 1n,
    hardState: { term: 9n, vote: 0n, commit: 0n },
    base: { index: 0n, term: 0n },
    entries: entriesOf(terms),
    voters: [1n],
    applied: 0n,
    ...state,
  });
}

const termsOf = (entries: readonly LogEntry[]) => entries.map(({ term }) => Number(term));

describe('the log of a core', () => {
  it('starts with everything durable, and hands out what is committed and not applied', () => {
    const log = logOf([1, 1, 2], { hardState: { term: 2n, vote: 0n, commit: 2n }, applied: 1n });
    expect(log).toMatchObject({ durable: 3n, commit: 2n, applied: 1n });
    expect(log.takeCommitted()).toHaveLength(1);
    expect(log.takeCommitted()).toHaveLength(0);
  });

  it('refuses a start that lacks what was committed', () => {
    const hardState = { term: 2n, vote: 0n, commit: 4n };
    expect(() => logOf([1, 1, 2], { hardState })).toThrow(/committed entries are missing/);
    expect(() => logOf([1], { applied: 2n })).toThrow(/applied outside/);
    expect(() => logOf([], { entries: entriesOf([1], 2) })).toThrow(/gap/);
  });

  it('keeps what agrees, replaces from the first conflict on, and skips what is compacted', () => {
    const log = logOf([1, 1, 2, 2]);
    log.accept(entriesOf([1, 2], 2));
    expect(log.takeWrite()).toBeUndefined();
    log.accept(entriesOf([1, 3, 3], 2));
    const write = log.takeWrite()!;
    expect(termsOf(write.entries)).toEqual([3, 3]);
    expect(log.durable).toBe(2n);
    expect(log.entries.last).toEqual({ index: 4n, term: 3n });
  });

  it('never replaces what is committed', () => {
    const log = logOf([1, 1], { hardState: { term: 1n, vote: 0n, commit: 2n } });
    expect(() => log.accept(entriesOf([2], 2))).toThrow(/committed entry/);
    expect(() => log.commitTo(3n)).toThrow(/beyond the log/);
  });

  it('does not take a write for durable whose entries were replaced, even by equal ones', () => {
    const log = logOf([1]);
    for (const [sequence, terms] of [
      [1, [2, 2]],
      [2, [3]],
      [3, [2, 2]],
    ] as const) {
      log.accept(entriesOf(terms, 2));
      log.takeWrite();
      log.writing(sequence);
    }
    log.persisted(1);
    expect(log.durable).toBe(1n);
    log.persisted(2);
    expect(log.durable).toBe(1n);
    log.persisted(3);
    expect(log.durable).toBe(3n);
  });

  it('hands out committed entries only when they are durable, and a bounded number at a time', () => {
    const log = logOf([]);
    log.accept(entriesOf(Array.from({ length: APPLY_ENTRIES_MAX + 5 }, () => 1)));
    log.commitTo(BigInt(APPLY_ENTRIES_MAX + 5));
    expect(log.takeCommitted()).toEqual([]);
    log.takeWrite();
    log.writing(1);
    log.persisted(1);
    expect(log.takeCommitted()).toHaveLength(APPLY_ENTRIES_MAX);
    expect(log.takeCommitted()).toHaveLength(5);
  });

  it('goes on after a snapshot, and applies it first', () => {
    const log = logOf([1, 1, 1]);
    log.restore({ index: 9n, term: 4n, voters: [1n] });
    expect(log.isRestoring).toBe(true);
    log.accept(entriesOf([4], 10));
    const write = log.takeWrite()!;
    expect(write.snapshot).toMatchObject({ index: 9n });
    expect(write.entries).toHaveLength(1);
    log.writing(1);
    log.persisted(1);
    log.appliedTo(9n);
    expect(log.isRestoring).toBe(false);
    expect(log).toMatchObject({ durable: 10n, commit: 9n });
    expect(() => log.restore({ index: 9n, term: 4n, voters: [1n] })).toThrow(/undo/);
  });

  it('compacts only what is applied', () => {
    const log = logOf([1, 2, 2], { applied: 2n });
    log.compact(2n);
    expect(log.entries.base).toEqual({ index: 2n, term: 2n });
    expect(log.entries.termOf(1n)).toBeUndefined();
    expect(() => log.compact(3n)).toThrow(/not applied/);
    log.compact(1n);
    expect(log.entries.base.index).toBe(2n);
  });
});

describe('batches of entries', () => {
  it('are as long as their bytes allow, one entry at least, and shared by those who ask for the same', () => {
    const { entries } = logOf([1, 1, 1, 1]);
    const each = entries.slice(1n, 1n)[0]!.data.length + ENTRY_OVERHEAD_BYTES_MAX;
    expect(entries.batch(1n, 2 * each)).toHaveLength(2);
    expect(entries.batch(3n, 1)).toHaveLength(1);
    expect(entries.batch(5n, 1)).toHaveLength(0);
    expect(entries.batch(2n, 2 * each)).toBe(entries.batch(2n, 2 * each));
  });

  it('are made anew when the log has changed', () => {
    const { entries } = logOf([1]);
    expect(entries.batch(1n, 1000)).toHaveLength(1);
    entries.append(entriesOf([1], 2)[0]!);
    expect(entries.batch(1n, 1000)).toHaveLength(2);
    entries.truncateFrom(2n);
    expect(entries.batch(1n, 1000)).toHaveLength(1);
  });
});
