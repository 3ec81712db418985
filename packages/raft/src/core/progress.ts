import { larger, smaller } from './bigints.js';
import type { FollowerProgress } from './contract.js';
import { Inflights } from './inflights.js';

/** How far one follower is, and what may be sent to it now. */
export class Progress implements FollowerProgress {
  state: 'probe' | 'replicate' | 'snapshot' = 'probe';
  /** The follower holds the log up to here, durably. */
  match = 0n;
  /** First index to send next. */
  next: bigint;
  recentlyActive = false;
  answers = 0;
  /** Probing, and an answer is awaited. */
  isPaused = false;
  /** Something must be sent, if only an empty append that finds out where the follower is. */
  isDue = true;
  /** The follower knows at least this commit, if nothing was lost. */
  sentCommit = 0n;
  /** The largest round of reads that it confirmed. */
  confirmedRound = 0n;
  readonly inflights: Inflights;
  /** Index of the snapshot under way. */
  #snapshotIndex = 0n;

  constructor(next: bigint, inflightMax: number) {
    this.next = next;
    this.inflights = new Inflights(inflightMax);
  }

  get canSend(): boolean {
    if (this.state === 'probe') return !this.isPaused;
    return this.state === 'replicate' && !this.inflights.isFull;
  }

  /** An append with entries up to `last` is on its way; `next - 1` for an empty one. */
  sent(last: bigint, commit: bigint): void {
    if (this.state === 'probe') {
      this.isPaused = true;
    } else if (last >= this.next) {
      this.next = last + 1n;
      this.inflights.add(last);
    }
    this.isDue = false;
    this.sentCommit = larger(this.sentCommit, smaller(commit, last));
  }

  /** The follower holds everything up to `index`. Returns whether that was news. */
  acknowledge(index: bigint): boolean {
    const isNews = index > this.match;
    if (isNews) {
      this.match = index;
      this.isPaused = false;
    }
    this.next = larger(this.next, index + 1n);
    if (this.state === 'probe') {
      if (index === this.match) this.#replicate();
    } else if (this.state === 'snapshot') {
      if (this.match >= this.#snapshotIndex) this.#replicate();
    } else {
      this.inflights.freeUpTo(index);
    }
    return isNews;
  }

  /**
   * The follower's log does not have what stands before `rejected + 1`, and may agree up to `hint`.
   * Stale answers are ignored.
   */
  reject(rejected: bigint, hint: bigint): void {
    if (this.state === 'snapshot') return;
    if (this.state === 'replicate') {
      if (rejected > this.match) this.probe();
      return;
    }
    if (rejected !== this.next - 1n) return;
    this.next = larger(smaller(rejected, hint + 1n), this.match + 1n);
    this.isPaused = false;
    this.isDue = true;
  }

  /** Sends one append at a time until one is accepted. */
  probe(): void {
    const afterSnapshot = this.state === 'snapshot' ? this.#snapshotIndex : 0n;
    this.state = 'probe';
    this.next = larger(this.match, afterSnapshot) + 1n;
    this.#snapshotIndex = 0n;
    this.isPaused = false;
    this.isDue = true;
    this.inflights.clear();
  }

  #replicate(): void {
    this.state = 'replicate';
    this.next = this.match + 1n;
    this.#snapshotIndex = 0n;
    this.isPaused = false;
    this.inflights.clear();
  }

  /** A snapshot of this index is on its way: nothing else is sent until its fate is known. */
  sendSnapshot(index: bigint): void {
    this.state = 'snapshot';
    this.#snapshotIndex = index;
    this.isPaused = false;
    this.inflights.clear();
  }

  /**
   * The fate of the snapshot under way is known. After it, an answer is awaited before more is
   * sent.
   */
  snapshotSent(delivered: boolean): void {
    if (this.state !== 'snapshot') return;
    if (!delivered) this.#snapshotIndex = 0n;
    this.probe();
    this.isPaused = true;
  }

  /** It answered anything. */
  answered(): void {
    this.recentlyActive = true;
    this.answers++;
  }

  /** It answered a heartbeat: what seemed under way may be lost, so a little more may be sent. */
  heard(lastIndex: bigint): void {
    this.answered();
    this.isPaused = false;
    if (this.inflights.isFull) this.inflights.freeFirst();
    if (this.match < lastIndex) this.isDue = true;
  }

  /** A message to it could not be delivered: what was sent ahead may be lost. */
  lost(): void {
    if (this.state === 'replicate') this.probe();
  }
}
