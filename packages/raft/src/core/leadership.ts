import { Code, RpcError } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import { EntryType, type LogPosition } from '../log/entry.js';
import type { Common } from './common.js';
import type { Message, SnapshotMeta } from './contract.js';
import { type PendingRead, Reads, roundOf } from './reads.js';
import { Replication } from './replication.js';

/**
 * What a leader has besides the log: its followers' progress, reads, a transfer, a change of
 * membership.
 */
export class Leadership {
  readonly replication: Replication;
  readonly #common: Common;
  readonly #reads = new Reads();
  /** Index of the empty entry that opens the term. */
  readonly #startIndex: bigint;
  /** No change of membership is proposed before the entry of this index is applied. */
  #pendingChangeIndex: bigint;
  #heartbeatElapsed = 0;
  #electionElapsed = 0;
  #transferTo = 0n;

  /**
   * Opens the term with an empty entry: only what a leader committed in its own term proves what is
   * committed.
   */
  constructor(common: Common) {
    this.#common = common;
    const { log } = common;
    this.replication = new Replication(common);
    const isGuarded = !common.hasFault('change-before-own-term');
    // A change from a former term may stand in the log: nothing tells before it is applied.
    this.#pendingChangeIndex = isGuarded ? log.entries.lastIndex : 0n;
    this.#startIndex = log.entries.lastIndex + 1n;
    this.#append(EntryType.EntryNormal, new Uint8Array(0));
  }

  /** The entry that opened the term is applied, so everything committed before is, too. */
  get isReady(): boolean {
    return this.#common.log.applied >= this.#startIndex && !this.#isLeaving;
  }

  /** This leader was removed. It goes on only to let another follow. */
  get #isLeaving(): boolean {
    return !this.#common.voters.has(this.#common.id);
  }

  get transferTo(): bigint {
    return this.#transferTo;
  }

  #append(type: EntryType, data: Uint8Array): LogPosition {
    const { log, term } = this.#common;
    const index = log.entries.lastIndex + 1n;
    log.entries.append({ index, term, type, data });
    return { index, term };
  }

  /** Throws FAILED_PRECONDITION while nothing may be proposed. */
  #checkWritable(isReady: boolean): void {
    if (this.#transferTo !== 0n) {
      throw new RpcError(Code.FAILED_PRECONDITION, 'raft: leadership is being handed over');
    }
    if (isReady) return;
    throw new RpcError(Code.FAILED_PRECONDITION, 'raft: this leader has not caught up yet');
  }

  propose(data: Uint8Array): LogPosition {
    this.#checkWritable(this.isReady);
    return this.#append(EntryType.EntryNormal, data);
  }

  /** Undefined while another change is not applied. */
  proposeChange(data: Uint8Array): LogPosition | undefined {
    this.#checkWritable(this.isReady || this.#common.hasFault('change-before-own-term'));
    if (this.#pendingChangeIndex > this.#common.log.applied) return undefined;
    const position = this.#append(EntryType.EntryConfChange, data);
    this.#pendingChangeIndex = position.index;
    return position;
  }

  /** Counts a tick. False when this node must not lead any more. */
  tick(): boolean {
    const { settings } = this.#common;
    if (++this.#electionElapsed >= settings.electionTicks) {
      this.#electionElapsed = 0;
      this.#transferTo = this.#isLeaving ? this.replication.mostAdvanced : 0n;
      const hasQuorum = this.replication.checkQuorum();
      if (settings.checkQuorum && !hasQuorum && !this.#isLeaving) return false;
    }
    if (++this.#heartbeatElapsed >= settings.heartbeatTicks) this.#sendHeartbeats();
    return true;
  }

  #sendHeartbeats(): void {
    this.#heartbeatElapsed = 0;
    this.replication.sendHeartbeats(this.#reads.context);
  }

  /** Sends what became due since the last call. */
  sendDue(snapshot: SnapshotMeta | undefined): void {
    this.#startReads();
    this.replication.sendDue(snapshot, this.#pendingChangeIndex);
  }

  onAppendResponse(message: Message): void {
    if (!this.replication.onAppendResponse(message)) return;
    this.replication.advanceCommit();
    if (message.from === this.#transferTo) this.#finishTransfer();
  }

  onHeartbeatResponse({ from, context }: Message): void {
    const progress = this.replication.onHeartbeatResponse(from);
    if (!progress) return;
    const round = roundOf(context);
    if (round > progress.confirmedRound) {
      progress.confirmedRound = round;
      this.#finishReads();
    }
    // The first request may have been lost.
    if (from === this.#transferTo) this.#finishTransfer();
  }

  /**
   * Hands over to `to`, a follower, as soon as it holds the whole log; given up after an election
   * timeout.
   */
  transfer(to: bigint): void {
    if (this.#transferTo === to) return;
    this.#transferTo = to;
    this.#electionElapsed = 0;
    this.#finishTransfer();
  }

  #finishTransfer(): void {
    const progress = this.replication.followers.get(this.#transferTo);
    if (progress?.match !== this.#common.log.entries.lastIndex) return;
    const message = this.#common.message(MessageType.MsgTimeoutNow, this.#transferTo);
    this.#common.outbox.send(message);
  }

  /** The voters have changed. */
  setVoters(): void {
    this.replication.setVoters();
    this.replication.advanceCommit();
    this.#finishReads();
    if (!this.#common.voters.has(this.#transferTo)) this.#transferTo = 0n;
    if (this.#isLeaving) this.transfer(this.replication.mostAdvanced);
  }

  /** False when there are too many reads already. */
  read(read: PendingRead): boolean {
    return this.#reads.add(read);
  }

  /** Nothing is known of what is committed before an entry of the own term is. */
  #startReads(): void {
    const { log, term } = this.#common;
    if (!this.#reads.canStart || log.commit < this.#startIndex) return;
    if (log.entries.termOf(log.commit) !== term) return;
    this.#reads.start(log.commit);
    this.#sendHeartbeats();
    this.#finishReads();
  }

  #finishReads(): void {
    const { current } = this.#reads;
    if (current === 0n) return;
    const isSloppy = this.#common.hasFault('read-without-quorum');
    const round = isSloppy ? current : this.replication.confirmedRound(current);
    const done = this.#reads.finish(round);
    if (!done) return;
    for (const read of done.reads) this.#answerRead(read, done.index);
  }

  #answerRead({ from, context }: PendingRead, index: bigint): void {
    const { id, outbox } = this.#common;
    if (from === id) {
      outbox.confirm({ context, index });
      return;
    }
    const answer = this.#common.message(MessageType.MsgReadIndexResp, from);
    answer.index = index;
    answer.entries = [readEntry(context)];
    outbox.answer(answer);
  }
}

/** A read's name as etcd-raft sends it. */
export function readEntry(context: Uint8Array) {
  return { index: 0n, term: 0n, type: EntryType.EntryNormal, data: context };
}
