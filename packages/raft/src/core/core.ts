import { Code, invariant, type Random, RpcError } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import type { LogPosition } from '../log/entry.js';
import { Candidacy, isTransferContext } from './candidacy.js';
import { Common } from './common.js';
import type {
  CoreSettings,
  CoreState,
  CoreStatus,
  Effects,
  FollowerProgress,
  Message,
  Role,
  SnapshotMeta,
} from './contract.js';
import { EffectsTaker } from './effects.js';
import { ElectionTimer } from './election-timer.js';
import { handleAppend, handleHeartbeat, handleSnapshot } from './following.js';
import { Leadership, readEntry } from './leadership.js';
import { isAnswer, isFromLeader } from './outbox.js';
import { answerLowerTerm, answerVote } from './voting.js';

const NO_PROGRESS: ReadonlyMap<bigint, FollowerProgress> = new Map();

/**
 * Raft for one node (Ongaro and Ousterhout 2014, with pre-vote, check-quorum, transfer, read-index
 * and single-server changes of Ongaro's thesis), as etcd-raft speaks it. Pure: time comes by
 * `tick`, messages by `step`, and what is to be done is taken with `takeEffects` after each call.
 * Changes of membership take effect when they are applied.
 */
export class RaftCore {
  readonly #common: Common;
  readonly #timer: ElectionTimer;
  readonly #effects: EffectsTaker;
  #role: Role = 'follower';
  #candidacy: Candidacy | undefined;
  #leadership: Leadership | undefined;
  /** Newest snapshot that may be sent. */
  #snapshot: SnapshotMeta | undefined;
  #ticksSinceCommitNote = 0;
  /** A leader of this term asked this node to take over before it could; 0 for none. */
  #deferredTransferTerm = 0n;

  constructor(settings: CoreSettings, state: CoreState, random: Random) {
    invariant(state.id !== 0n, 'a node has an id');
    invariant(settings.electionTicks > settings.heartbeatTicks, 'elections before heartbeats');
    this.#common = new Common(settings, state, random);
    this.#timer = new ElectionTimer(settings.electionTicks, random);
    this.#effects = new EffectsTaker(this.#common);
  }

  /**
   * A copy: it does not change with the core. Cheap, for it is looked at several times for each
   * write.
   */
  get status(): CoreStatus {
    const { term, vote, leaderId, log, voters } = this.#common;
    return {
      role: this.#role,
      term,
      vote,
      leaderId,
      commit: log.commit,
      applied: log.applied,
      last: log.entries.last,
      voters,
      isReady: this.#leadership?.isReady ?? false,
      transferTo: this.#leadership?.transferTo ?? 0n,
    };
  }

  /** How far the other voters are, as a copy; empty unless leading. */
  get progress(): ReadonlyMap<bigint, FollowerProgress> {
    return this.#leadership?.replication.report ?? NO_PROGRESS;
  }

  /** What is to be done now; undefined for nothing. To be called until it says so. */
  takeEffects(): Effects | undefined {
    this.#leadership?.sendDue(this.#snapshot);
    return this.#effects.take();
  }

  /** What effects up to this number asked to write is durable. */
  persisted(sequence: number): void {
    this.#common.log.persisted(sequence);
    this.#leadership?.replication.advanceCommit();
  }

  /**
   * Committed entries up to `index` are applied, and so are all changes of membership among them.
   */
  appliedTo(index: bigint): void {
    this.#common.log.appliedTo(index);
    if (this.#deferredTransferTerm === 0n) return;
    if (this.#deferredTransferTerm !== this.#common.term || this.#role !== 'follower') {
      this.#deferredTransferTerm = 0n;
    } else if (this.#canCampaign) {
      this.#deferredTransferTerm = 0n;
      this.#stand(true);
    }
  }

  /**
   * The clock ticked. A leader sends heartbeats, and steps down when it lost its quorum; others
   * stand for election when they have not heard of a leader for too long.
   */
  tick(): void {
    if (++this.#ticksSinceCommitNote >= this.#common.settings.electionTicks) {
      this.#ticksSinceCommitNote = 0;
      this.#effects.writeCommit();
    }
    if (this.#leadership) {
      if (!this.#leadership.tick()) this.#becomeFollower(this.#common.term, 0n);
    } else if (this.#timer.tick()) {
      this.campaign(false);
    }
  }

  /**
   * The connection to the leader broke. With pre-vote, this node looks within a few ticks whether
   * there is a leader still; without, an election would cost a live leader its term, so nothing
   * happens.
   */
  hintLeaderLost(): void {
    const { settings, leaderId, id } = this.#common;
    if (!settings.preVote || leaderId === 0n || leaderId === id) return;
    this.#timer.suspectLeader();
  }

  /**
   * Stands for election now. For a transfer, without asking first, and in spite of the leader's
   * lease. Nothing happens on a leader, or when this node may not stand: it is no voter, or does
   * not know for sure who is.
   */
  campaign(isTransfer: boolean): void {
    if (this.#leadership || !this.#canCampaign) return;
    if (this.#common.settings.preVote && !isTransfer) this.#askWhetherToStand();
    else this.#stand(isTransfer);
  }

  get #canCampaign(): boolean {
    const { voters, id, log } = this.#common;
    return voters.has(id) && !log.isRestoring && !log.hasUnappliedChange;
  }

  /**
   * Appends an entry and returns where. Throws FAILED_PRECONDITION when this node does not lead,
   * has not applied its first entry yet, or hands over.
   */
  propose(data: Uint8Array): LogPosition {
    return this.#leading.propose(data);
  }

  /**
   * Appends a change of membership (an encoded ConfChange) and returns where; undefined when
   * another one may stand in the log and is not applied. Throws as `propose` does.
   */
  proposeChange(data: Uint8Array): LogPosition | undefined {
    return this.#leading.proposeChange(data);
  }

  get #leading(): Leadership {
    if (this.#leadership) return this.#leadership;
    throw new RpcError(Code.FAILED_PRECONDITION, 'raft: this node is not the leader');
  }

  /**
   * Asks for the index from which a read is linearizable; it comes with the `reads` of some
   * effects, under the same `context` (not empty, never used before by this node). It does not come
   * when messages are lost or the leader changes: ask again. False when nobody can be asked now, or
   * too many wait.
   */
  requestRead(context: Uint8Array): boolean {
    const { id, leaderId, outbox } = this.#common;
    if (this.#leadership) return this.#leadership.read({ from: id, context });
    if (leaderId === 0n) return false;
    const message = this.#common.message(MessageType.MsgReadIndex, leaderId);
    message.entries = [readEntry(context)];
    outbox.answer(message);
    return true;
  }

  /**
   * Hands leadership over to `to`, another voter; `status.transferTo` tells whether that is still
   * under way. Throws FAILED_PRECONDITION when this node does not lead, INVALID_ARGUMENT when `to`
   * cannot.
   */
  transferLeadership(to: bigint): void {
    const leadership = this.#leading;
    if (!leadership.replication.followers.has(to)) {
      throw new RpcError(Code.INVALID_ARGUMENT, 'raft: only another voter can take over');
    }
    leadership.transfer(to);
  }

  /** A message to this node could not be delivered. */
  reportUnreachable(id: bigint): void {
    this.#leadership?.replication.followers.get(id)?.lost();
  }

  /** What became of a MsgSnap; each one sent must be reported. */
  reportSnapshot(id: bigint, delivered: boolean): void {
    this.#leadership?.replication.followers.get(id)?.snapshotSent(delivered);
  }

  /**
   * A snapshot can be sent from now on to those that need it; an older one than before is ignored.
   */
  setSnapshot(meta: SnapshotMeta): void {
    if (!this.#snapshot || meta.index > this.#snapshot.index) this.#snapshot = meta;
  }

  /**
   * Drops the entries up to `index`, which are applied, from memory. Those who need them get a
   * snapshot.
   */
  compact(index: bigint): void {
    this.#common.log.compact(index);
  }

  /**
   * A change of membership was applied: these vote now. A leader that is not among them is not
   * ready any more, and hands over to one that is: keep it running until its role changes, or for
   * an election timeout, lest the others never learn of the commit (of two voters, the one that
   * stays could not be elected then).
   */
  configChanged(voters: readonly bigint[]): void {
    const common = this.#common;
    common.voters = new Set(voters);
    if (this.#leadership) this.#leadership.setVoters();
    else if (!common.voters.has(common.id)) this.#becomeFollower(common.term, common.leaderId);
  }

  /** A message arrived. What is not for this node, unknown, stale or repeated does no harm. */
  step(message: Message): void {
    const { id, term, voters } = this.#common;
    const { from, to, type } = message;
    if (to !== id || from === id || from === 0n || message.term === 0n) return;
    if (isAnswer(type) && !voters.has(from)) return;
    if (message.term < term) answerLowerTerm(this.#common, message);
    else if (message.term === term || this.#meetHigherTerm(message)) this.#dispatch(message);
  }

  #dispatch(message: Message): void {
    const { type, from, index } = message;
    const context = message.entries[0]?.data;
    switch (type) {
      case MessageType.MsgApp:
      case MessageType.MsgHeartbeat:
      case MessageType.MsgSnap:
        this.#stepFromLeader(message);
        return;
      case MessageType.MsgAppResp:
        this.#leadership?.onAppendResponse(message);
        return;
      case MessageType.MsgHeartbeatResp:
        this.#leadership?.onHeartbeatResponse(message);
        return;
      case MessageType.MsgVote:
      case MessageType.MsgPreVote:
        if (answerVote(this.#common, message, this.#isRival)) this.#timer.heard();
        return;
      case MessageType.MsgVoteResp:
      case MessageType.MsgPreVoteResp:
        this.#stepVoteResponse(message);
        return;
      case MessageType.MsgTimeoutNow:
        if (this.#role !== 'follower') return;
        if (this.#canCampaign) this.#stand(true);
        else this.#deferredTransferTerm = this.#common.term;
        return;
      case MessageType.MsgReadIndex:
        if (context) this.#leadership?.read({ from, context });
        return;
      case MessageType.MsgReadIndexResp:
        if (context) this.#common.outbox.confirm({ context, index });
        return;
      default:
    }
  }

  /**
   * Takes over a higher term, where the message is one that must. False when the message is to be
   * ignored.
   */
  #meetHigherTerm({ type, from, term, context, reject }: Message): boolean {
    switch (type) {
      case MessageType.MsgVote:
        if (this.#isLeaseHeld && !isTransferContext(context)) return false;
        break;
      case MessageType.MsgPreVote:
        // Answered in any case, and the term is only a question.
        return !this.#isLeaseHeld || isTransferContext(context);
      case MessageType.MsgPreVoteResp:
        if (!reject) return true;
        break;
      case MessageType.MsgApp:
      case MessageType.MsgHeartbeat:
      case MessageType.MsgSnap:
      case MessageType.MsgAppResp:
      case MessageType.MsgHeartbeatResp:
      case MessageType.MsgVoteResp:
      case MessageType.MsgTimeoutNow:
      case MessageType.MsgReadIndex:
      case MessageType.MsgReadIndexResp:
        break;
      default:
        return false;
    }
    this.#becomeFollower(term, isFromLeader(type) ? from : 0n);
    return true;
  }

  /** A leader was heard of so lately that no election can be needed. */
  get #isLeaseHeld(): boolean {
    if (!this.#common.settings.checkQuorum || this.#common.leaderId === 0n) return false;
    return this.#leadership !== undefined || this.#timer.isLeaderFresh;
  }

  #stepFromLeader(message: Message): void {
    const common = this.#common;
    const { from, type, term } = message;
    invariant(!this.#leadership, 'two leaders in one term', { term: `${term}` });
    if (this.#role !== 'follower') this.#becomeFollower(term, from);
    const isSame = common.leaderId === 0n || common.leaderId === from;
    invariant(isSame, 'two leaders in one term', { term: `${term}` });
    common.leaderId = from;
    this.#timer.heard();
    if (type === MessageType.MsgApp) handleAppend(common, message);
    else if (type === MessageType.MsgHeartbeat) handleHeartbeat(common, message);
    else handleSnapshot(common, message);
  }

  /** This node has just asked others whether it could win. */
  get #isRival(): boolean {
    return this.#role === 'pre-candidate' && this.#timer.elapsed <= 1;
  }

  #stepVoteResponse({ type, from, term, reject }: Message): void {
    const candidacy = this.#candidacy;
    if (!candidacy || candidacy.isPre !== (type === MessageType.MsgPreVoteResp)) return;
    // A pre-vote is granted for the next term; one for this term answers an older question.
    if (candidacy.isPre && !reject && term !== this.#common.term + 1n) return;
    candidacy.record(from, !reject);
    this.#decideElection(candidacy);
  }

  #decideElection(candidacy: Candidacy): void {
    const { verdict } = candidacy;
    if (verdict === 'open') return;
    if (verdict === 'lost') {
      this.#becomeFollower(this.#common.term, 0n);
      if (this.#common.settings.preVote) this.#timer.retrySoon();
    } else if (candidacy.isPre) {
      this.#stand(false);
    } else {
      this.#lead();
    }
  }

  #askWhetherToStand(): void {
    this.#enter('pre-candidate');
    this.#timer.attempt();
    this.#common.leaderId = 0n;
    this.#candidacy = new Candidacy(this.#common, true);
    this.#candidacy.ask(false);
    this.#decideElection(this.#candidacy);
  }

  #stand(isTransfer: boolean): void {
    const common = this.#common;
    this.#enter('candidate');
    if (common.settings.preVote) this.#timer.retrySoon();
    common.term++;
    common.vote = common.id;
    common.leaderId = 0n;
    this.#candidacy = new Candidacy(common, false);
    this.#candidacy.ask(isTransfer);
    this.#decideElection(this.#candidacy);
  }

  #lead(): void {
    this.#enter('leader');
    this.#common.leaderId = this.#common.id;
    this.#leadership = new Leadership(this.#common);
  }

  #becomeFollower(term: bigint, leaderId: bigint): void {
    const common = this.#common;
    this.#enter('follower');
    if (term !== common.term) {
      common.term = term;
      common.vote = 0n;
    }
    common.leaderId = leaderId;
  }

  #enter(role: Role): void {
    this.#role = role;
    this.#candidacy = undefined;
    this.#leadership = undefined;
    this.#timer.restart();
  }
}
