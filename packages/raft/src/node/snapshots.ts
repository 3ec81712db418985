import { type Clock, hasErrno, type Logger } from '@skep/platform';
import type { SnapshotMeta } from '../core/contract.js';
import type { KeyKeeper } from '../keys/keeper.js';
import * as limits from '../limits.js';
import { type LogPosition, smallest } from '../log/entry.js';
import { encodeContents } from '../snapshot/contents.js';
import type { RaftSnapshot } from '../snapshot/file.js';
import type { RaftMember } from './contract.js';
import type { DiskState } from './disk-state.js';
import type { Flaws } from './flaws.js';
import type { Capture, Replica } from './replica.js';

type SnapshotSettings = Parameters<RaftMember['configure']>[0];

export interface SnapshotsOptions {
  clock: Clock;
  state: DiskState;
  replica: Replica;
  settings: SnapshotSettings;
  log: Logger;
  /** A snapshot is durable, and the entries up to `compactTo` are of no more use in memory. */
  onSaved(meta: SnapshotMeta, compactTo: bigint): void;
  /** Has something written to the log, and resolves when that is done, or failed. */
  writeSomething(): Promise<void>;
  keeper: KeyKeeper;
  /** The disk failed. */
  onFailed(error: unknown): void;
  flaws: Flaws | undefined;
}

/**
 * Takes snapshots when they are due, drops the log behind them, and with it the keys of the past.
 */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  #settings: SnapshotSettings;
  #dueAt: bigint;
  #bytesAtLast = 0;
  /** Bytes of the last one taken here. */
  #lastBytes = 0;
  #isForced = false;
  #taking: Promise<void> | undefined;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#dueAt = this.#newest.index + this.#interval;
    this.#isForced = options.state.keys.hasOld;
  }

  get #newest(): LogPosition {
    return this.#options.state.snapshots.positions.at(-1) ?? { index: 0n, term: 0n };
  }

  /**
   * Begins one when enough was applied since the last. Only a flaw gives it another position than
   * that of the last.
   */
  takeIfDue(position?: LogPosition): void {
    if (this.#taking || !this.#isDue) return;
    this.#take(this.#options.replica.capture(position));
  }

  /** Wants one soon, whatever was applied: the data key has changed. */
  force(): void {
    this.#isForced = true;
    this.takeIfDue();
  }

  /** One came from the leader: the next is due an interval later. */
  noteReceived({ index }: LogPosition): void {
    this.#reset(index);
  }

  /** Another interval may make one due. */
  configure(settings: SnapshotSettings): void {
    this.#settings = { ...this.#settings, ...settings };
    const { oldSnapshotsKept } = settings;
    if (oldSnapshotsKept !== undefined) this.#options.state.snapshots.oldKept = oldSnapshotsKept;
    this.#dueAt = this.#newest.index + this.#interval;
    this.takeIfDue();
  }

  /** Entries between two snapshots; 0 for never. */
  get #interval(): bigint {
    return BigInt(this.#settings.snapshotIntervalEntries ?? limits.SNAPSHOT_INTERVAL_ENTRIES);
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    while (this.#taking) await this.#taking;
  }

  get #isDue(): boolean {
    const { replica, state } = this.#options;
    const { index } = replica.applied;
    if (index === 0n || index < this.#newest.index) return false;
    if (this.#isForced) return index >= (state.log.lastUnderOldKey ?? 0n);
    if (this.#interval === 0n) return false;
    const bytes = replica.bytesApplied - this.#bytesAtLast;
    if (this.#lastBytes > limits.SNAPSHOT_CHEAP_BYTES && bytes < this.#lastBytes) return false;
    return index >= this.#dueAt || bytes >= limits.SNAPSHOT_INTERVAL_BYTES;
  }

  #reset(index: bigint): void {
    this.#dueAt = index + this.#interval;
    this.#bytesAtLast = this.#options.replica.bytesApplied;
  }

  #take(capture: Capture): void {
    this.#isForced = false;
    this.#reset(capture.index);
    this.#taking = this.#save(capture).finally(() => {
      this.#taking = undefined;
      this.takeIfDue();
    });
  }

  /** Part by part, with whatever else there is to do in between: a large state takes long. */
  async #encode({ membership, parts, ...meta }: Capture): Promise<RaftSnapshot> {
    const { clock } = this.#options;
    const store: Uint8Array[] = [];
    for (const part of parts) {
      store.push(part);
      await new Promise<void>((resolve) => clock.soon(resolve));
    }
    const data = encodeContents({ membership, store: Buffer.concat(store) });
    this.#lastBytes = data.length;
    return { ...meta, data };
  }

  async #save(capture: Capture): Promise<void> {
    const { state, log, onSaved, onFailed, flaws } = this.#options;
    const behind = this.#settings.entriesKeptBehind ?? limits.ENTRIES_KEPT_BEHIND;
    try {
      const snapshot = await this.#encode(capture);
      // A newer one may have come from the leader meanwhile.
      if (snapshot.index < this.#newest.index) return;
      const keepFrom = snapshot.index - BigInt(behind);
      if (flaws?.has('compact-before-snapshot')) await state.log.compact(keepFrom);
      await state.snapshots.save(snapshot);
      const { index, term, voters } = snapshot;
      onSaved({ index, term, voters }, keepFrom);
      const oldest = state.snapshots.positions[0]?.index ?? 0n;
      const compactTo = smallest(keepFrom, oldest);
      if (compactTo > 0n) await state.log.compact(compactTo);
      await this.#options.keeper.inTurn(() => this.#finishRotation());
    } catch (error) {
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) return onFailed(error);
      this.#dueAt = capture.index + this.#interval / 10n + 1n;
      log.warn({}, 'no space for a snapshot; the log is kept, and grows');
    }
  }

  /**
   * Once the newest snapshot is under the current key and covers all that stands under old ones,
   * drops that, and then the old keys. Where it does not, another snapshot will.
   */
  async #finishRotation(): Promise<void> {
    const { state, log, keeper, writeSomething } = this.#options;
    const { keys, snapshots } = state;
    if (!keys.hasOld) return;
    // The first write after the change of keys begins a new segment.
    if (state.log.isUnderOldKey) await writeSomething();
    const lastUnderOldKey = state.log.lastUnderOldKey ?? 0n;
    if (!snapshots.isNewestCurrent || this.#newest.index < lastUnderOldKey) {
      this.#isForced = true;
      return;
    }
    await state.log.compact(lastUnderOldKey);
    // No space for that write: the next snapshot, or the next start, comes back to this.
    if (state.log.lastUnderOldKey !== undefined) return;
    await snapshots.dropUnderOldKeys();
    await keeper.dropOldKeys();
    log.info({}, 'everything is encrypted under the new data key; the old one is gone');
  }
}
