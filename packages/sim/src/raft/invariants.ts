import { InvariantError } from '@skep/platform';
import type { Envelope, RaftStatus } from '@skep/raft';
import { MessageType } from '@skep/wire/raftpb';
import { Ledger, printOf, TermChecker } from '../checkers/index.js';
import { must, ViolationError } from '../engine/index.js';

const { MsgApp, MsgVoteResp, MsgPreVote, MsgPreVoteResp } = MessageType;

/** Messages whose term is asked about and not yet taken, so that it need not last. */
const PROVISIONAL: readonly MessageType[] = [MsgPreVote, MsgPreVoteResp];

/** What one life of a machine has said of itself. */
export interface Progress {
  commit: bigint;
  applied: bigint;
}

/** What must hold of a Raft cluster after every single event, seen from outside. */
export class RaftInvariants {
  readonly terms = new TermChecker();
  readonly ledger = new Ledger();

  /** A message leaves a member: what it promises must last. */
  sent({ message }: Envelope): void {
    const { type, from, to, term, reject, entries } = message;
    if (PROVISIONAL.includes(type)) return;
    this.terms.termOf(String(from), term);
    if (type === MsgVoteResp && !reject) this.terms.votes(from, term, to);
    // Reads that are passed on hold entries too, of no place in a log.
    if (type !== MsgApp) return;
    for (const entry of entries) {
      this.ledger.seen(entry.index, { term: entry.term, print: printOf(entry.data) });
    }
  }

  /** A member as it stands after an event. */
  look(machine: string, status: RaftStatus, progress: Progress): void {
    if (status.role === 'leader') this.terms.leads(String(status.raftId), status.term);
    const { commitIndex, appliedIndex } = status;
    must(
      commitIndex >= progress.commit && appliedIndex >= progress.applied,
      'commit-goes-on',
      () => `${machine}: commit ${progress.commit} to ${commitIndex}, applied to ${appliedIndex}`,
    );
    must(
      appliedIndex <= commitIndex,
      'apply-after-commit',
      () => `${machine} applied ${appliedIndex}, and committed only ${commitIndex}`,
    );
    progress.commit = commitIndex;
    progress.applied = appliedIndex;
  }
}

/** A broken invariant of the code under test is what the run is for; other errors are for the caller to judge. */
export function throwIfBroken(machine: string, error: unknown): void {
  if (error instanceof ViolationError) throw error;
  if (!(error instanceof InvariantError)) return;
  throw new ViolationError('invariant', `${machine}: ${error.message}`);
}
