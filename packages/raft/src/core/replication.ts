import { MessageType } from '@skep/wire/raftpb';
import { smaller } from './bigints.js';
import type { Common } from './common.js';
import type { FollowerProgress, Message, SnapshotMeta } from './contract.js';
import { Progress } from './progress.js';
import { quorumIndex, quorumOf } from './quorum.js';

/** A leader's sending of its log to its followers, and what it may conclude from their answers. */
export class Replication {
  readonly #common: Common;
  readonly #followers = new Map<bigint, Progress>();
  #reached: bigint[] = [];

  constructor(common: Common) {
    this.#common = common;
    this.#follow(false);
  }

  get followers(): ReadonlyMap<bigint, Progress> {
    return this.#followers;
  }

  /** A copy of each follower's state, for others to look at. */
  get report(): ReadonlyMap<bigint, FollowerProgress> {
    const report = new Map<bigint, FollowerProgress>();
    for (const [id, { state, match, next, recentlyActive, answers }] of this.#followers) {
      report.set(id, { state, match, next, recentlyActive, answers });
    }
    return report;
  }

  /** The voters have changed: keeps the progress of those that stay. New ones count as heard of. */
  setVoters(): void {
    const { voters } = this.#common;
    for (const follower of this.#followers.keys()) {
      if (!voters.has(follower)) this.#followers.delete(follower);
    }
    this.#follow(true);
  }

  #follow(recentlyActive: boolean): void {
    const { voters, id, log, settings } = this.#common;
    for (const voter of voters) {
      if (voter === id || this.#followers.has(voter)) continue;
      const progress = new Progress(log.entries.lastIndex + 1n, settings.inflightMax);
      progress.recentlyActive = recentlyActive;
      this.#followers.set(voter, progress);
    }
  }

  /**
   * Sends each follower all that it may get now. Called once for many proposals.
   *
   * @param toAnnounce followers are told at once when this index is committed
   */
  sendDue(snapshot: SnapshotMeta | undefined, toAnnounce: bigint): void {
    for (const [id, progress] of this.#followers) {
      this.#sendDueTo(id, progress, snapshot);
      if (this.#isCommitNews(progress, toAnnounce)) this.#sendAppend(id, progress);
    }
  }

  #sendDueTo(id: bigint, progress: Progress, snapshot: SnapshotMeta | undefined): void {
    const { log } = this.#common;
    const { lastIndex } = log.entries;
    while (progress.canSend && (progress.next <= lastIndex || progress.isDue)) {
      if (!this.#sendAppend(id, progress)) {
        this.#sendSnapshot(id, progress, snapshot);
        return;
      }
    }
  }

  #isCommitNews({ canSend, next, sentCommit }: Progress, toAnnounce: bigint): boolean {
    if (!canSend) return false;
    const { log, settings } = this.#common;
    const sendable = smaller(log.commit, next - 1n);
    if (settings.announcesCommits) return sentCommit < sendable;
    return sentCommit < toAnnounce && toAnnounce <= sendable;
  }

  /** False when the entries it needs are compacted away. */
  #sendAppend(id: bigint, progress: Progress): boolean {
    const { log, settings, outbox } = this.#common;
    const previous = progress.next - 1n;
    const term = log.entries.termOf(previous);
    if (term === undefined) return false;
    const entries = log.entries.batch(progress.next, settings.appendBytesMax);
    const message = this.#common.message(MessageType.MsgApp, id);
    message.index = previous;
    message.logTerm = term;
    message.entries = entries;
    message.commit = log.commit;
    outbox.send(message);
    progress.sent(previous + BigInt(entries.length), log.commit);
    return true;
  }

  /**
   * Only to those that are there: a snapshot is costly. Its voters are the present ones
   * (wire-raft.md 8.4).
   */
  #sendSnapshot(id: bigint, progress: Progress, snapshot: SnapshotMeta | undefined): void {
    const { log, voters, outbox } = this.#common;
    if (!progress.recentlyActive || !snapshot || snapshot.index < log.entries.base.index) return;
    const message = this.#common.message(MessageType.MsgSnap, id);
    message.snapshot = { index: snapshot.index, term: snapshot.term, voters: [...voters] };
    outbox.send(message);
    progress.sendSnapshot(snapshot.index);
  }

  /**
   * A heartbeat to all. Never tells a follower of a commit that it was not seen to hold: etcd
   * panics then.
   */
  sendHeartbeats(context: Uint8Array): void {
    const { log, outbox } = this.#common;
    for (const [id, { match }] of this.#followers) {
      const message = this.#common.message(MessageType.MsgHeartbeat, id);
      message.commit = smaller(match, log.commit);
      message.context = context;
      outbox.send(message);
    }
  }

  /** Returns whether the follower is known to hold more than before. */
  onAppendResponse({ from, reject, index, rejectHint, logTerm }: Message): boolean {
    const progress = this.#followers.get(from);
    if (!progress) return false;
    const { entries } = this.#common.log;
    progress.answered();
    if (reject) {
      // A zero term comes from etcd 3.3, whose hint is just the end of its log.
      const hint = logTerm > 0n ? entries.lastWithTermAtMost(rejectHint, logTerm) : rejectHint;
      progress.reject(index, hint);
      return false;
    }
    // Nobody holds more than the leader: such an answer is damaged, and believing it would lose
    // entries.
    if (index > entries.lastIndex) return false;
    return progress.acknowledge(index);
  }

  onHeartbeatResponse(from: bigint): Progress | undefined {
    const progress = this.#followers.get(from);
    progress?.heard(this.#common.log.entries.lastIndex);
    return progress;
  }

  /**
   * Commits what a quorum holds, if it is of this term (Raft paper 5.4.2). Returns whether there
   * was any.
   */
  advanceCommit(): boolean {
    const { log, id, term, voters } = this.#common;
    const reached = this.#reached;
    reached.length = 0;
    const isEager = this.#common.hasFault('acknowledge-before-durable');
    if (voters.has(id)) reached.push(isEager ? log.entries.lastIndex : log.durable);
    for (const { match } of this.#followers.values()) reached.push(match);
    const index = quorumIndex(reached);
    if (index <= log.commit) return false;
    const isOwn = log.entries.termOf(index) === term;
    return (isOwn || this.#common.hasFault('commit-former-terms')) && log.commitTo(index);
  }

  /** Whether a quorum, this node included where it votes, was heard of since the last call. */
  checkQuorum(): boolean {
    let active = this.#common.voters.has(this.#common.id) ? 1 : 0;
    for (const progress of this.#followers.values()) {
      if (progress.recentlyActive) active++;
      progress.recentlyActive = false;
    }
    return active >= quorumOf(this.#common.voters.size);
  }

  /**
   * The largest round of reads that a quorum confirmed; this node confirms its own where it votes.
   */
  confirmedRound(ownRound: bigint): bigint {
    const reached = this.#reached;
    reached.length = 0;
    if (this.#common.voters.has(this.#common.id)) reached.push(ownRound);
    for (const { confirmedRound } of this.#followers.values()) reached.push(confirmedRound);
    return quorumIndex(reached);
  }

  /** The follower, lately heard of, that holds most; 0 when there is none. */
  get mostAdvanced(): bigint {
    let best = 0n;
    let bestMatch = -1n;
    for (const [id, { recentlyActive, match }] of this.#followers) {
      if (!recentlyActive || match <= bestMatch) continue;
      best = id;
      bestMatch = match;
    }
    return best;
  }
}
