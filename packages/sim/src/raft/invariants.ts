import { InvariantError } from '@skep/platform';
import type { Envelope, RaftStatus } from '@skep/raft';
import { MessageType } from '@skep/wire/raftpb';
import { Holdings, Ledger, printOf, TermChecker } from '../checkers/index.js';
import { must, ViolationError } from '../engine/index.js';

const { MsgApp, MsgAppResp, MsgPreVote, MsgVote, MsgVoteResp } = MessageType;

/** Messages that promise something of their term, which must last. */
const LASTING: ReadonlySet<MessageType> = new Set([MsgApp, MsgAppResp, MsgVote, MsgVoteResp]);

/** What one life of a machine has said of itself. */
export interface Progress {
  applied: bigint;
}

/** What must hold of a Raft cluster after every single event, seen from outside. */
export class RaftInvariants {
  readonly terms = new TermChecker();
  readonly ledger = new Ledger();
  readonly #holdings = new Holdings();

  /** A message leaves a member: what it promises must last. */
  sent({ message }: Envelope): void {
    const { type, from, to, term, reject, index, entries } = message;
    if (type === MsgPreVote || type === MsgVote) this.#holdings.campaigns(from, index);
    if (type === MsgAppResp && reject) this.#holdings.refuses(from, index);
    if (!LASTING.has(type) || reject) return;
    this.terms.termOf(String(from), term);
    if (type === MsgAppResp) this.#holdings.acknowledged(from, term, index);
    if (type === MsgVoteResp) this.terms.votes(from, term, to);
    for (const entry of entries) {
      this.ledger.seen(entry.index, { term: entry.term, print: printOf(entry.data) });
    }
  }

  /** A member applied an entry, which therefore is committed. */
  applied(machine: string, index: bigint, data: Uint8Array): void {
    this.ledger.applied(machine, index, data);
    this.#holdings.committed(index, this.terms.highest);
  }

  /** A member as it stands after an event. */
  look(machine: string, status: RaftStatus, progress: Progress): void {
    if (status.role === 'leader') this.terms.leads(String(status.raftId), status.term);
    const { commitIndex, appliedIndex } = status;
    must(
      appliedIndex >= progress.applied,
      'apply-goes-on',
      () => `${machine}: from ${progress.applied} applied back to ${appliedIndex}`,
    );
    must(
      appliedIndex <= commitIndex,
      'apply-after-commit',
      () => `${machine} applied ${appliedIndex}, and committed only ${commitIndex}`,
    );
    progress.applied = appliedIndex;
  }
}

/** A broken invariant of the code under test is what the run is for; other errors are for the caller to judge. */
export function throwIfBroken(machine: string, error: unknown): void {
  if (error instanceof ViolationError) throw error;
  if (!(error instanceof InvariantError)) return;
  throw new ViolationError('invariant', `${machine}: ${error.message}`);
}
