import type { TableEvent } from '@skep/wire/networkdb';
import { ENTRIES_MAX, TOMBSTONE_MS } from '../../limits.js';

/** One entry of a network's tables. */
export interface Entry {
  table: string;
  key: string;
  /** Name of the node that wrote it last. */
  owner: string;
  lamportTime: bigint;
  value: Uint8Array;
  /** Where it was deleted: until when that is remembered, in the core's time. */
  deletedUntilMs: number | undefined;
}

export function entryId(table: string, key: string): string {
  return `${table}\0${key}`;
}

/**
 * Whether one entry takes the place of another. Of two with the same time that of the node whose name is
 * greater does, everywhere.
 */
export function supersedes(event: Pick<TableEvent, 'lTime' | 'nodeName'>, entry: Entry): boolean {
  if (event.lTime !== entry.lamportTime) return event.lTime > entry.lamportTime;
  return event.nodeName > entry.owner;
}

/** How long an entry has to be remembered still; 0 for one that is not deleted. */
export function residualSeconds(entry: Entry, nowMs: number): number {
  if (entry.deletedUntilMs === undefined) return 0;
  return Math.max(1, Math.floor((entry.deletedUntilMs - nowMs) / 1000));
}

/** Until when a deletion is remembered. Old versions do not say for how long. */
export function deletedUntilMs(residual: number, nowMs: number): number {
  const wantedMs = residual > 0 ? residual * 1000 : TOMBSTONE_MS;
  return nowMs + Math.min(wantedMs, TOMBSTONE_MS);
}

/** All entries of one network, deleted ones for a while as well. */
export class Entries {
  readonly #entries = new Map<string, Entry>();

  get size(): number {
    return this.#entries.size;
  }

  get(table: string, key: string): Entry | undefined {
    return this.#entries.get(entryId(table, key));
  }

  all(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** False where there is no room for one more. */
  set(entry: Entry): boolean {
    const id = entryId(entry.table, entry.key);
    if (!this.#entries.has(id) && this.#entries.size >= ENTRIES_MAX) return false;
    this.#entries.set(id, entry);
    return true;
  }

  delete({ table, key }: Entry): void {
    this.#entries.delete(entryId(table, key));
  }

  /** Forgets what was deleted long enough ago. */
  expire(nowMs: number): void {
    for (const [id, { deletedUntilMs }] of this.#entries) {
      if (deletedUntilMs !== undefined && nowMs >= deletedUntilMs) this.#entries.delete(id);
    }
  }
}
