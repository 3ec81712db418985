import { MessageType } from '@skep/wire/raftpb';
import type { Common } from './common.js';
import { tally, type Verdict } from './quorum.js';

/**
 * What a vote says that is asked for because the leader wants to hand over: no lease protects that
 * leader.
 */
export const TRANSFER_CONTEXT: Uint8Array = new TextEncoder().encode('CampaignTransfer');

export function isTransferContext(context: Uint8Array): boolean {
  return (
    context.length === TRANSFER_CONTEXT.length &&
    TRANSFER_CONTEXT.every((byte, at) => context[at] === byte)
  );
}

/**
 * An election that this node stands in; with `isPre` only the question whether it could win one.
 */
export class Candidacy {
  readonly isPre: boolean;
  readonly #common: Common;
  readonly #votes = new Map<bigint, boolean>();

  constructor(common: Common, isPre: boolean) {
    this.#common = common;
    this.isPre = isPre;
    this.#votes.set(common.id, true);
  }

  /** Counts a vote; the first of each voter stands. */
  record(from: bigint, isGranted: boolean): Verdict {
    if (!this.#votes.has(from)) this.#votes.set(from, isGranted);
    return this.verdict;
  }

  get verdict(): Verdict {
    return tally(this.#common.voters, this.#votes);
  }

  /** Asks all others. A real request leaves only when the own vote is durable. */
  ask(isTransfer: boolean): void {
    const { voters, id, outbox, log, term } = this.#common;
    const type = this.isPre ? MessageType.MsgPreVote : MessageType.MsgVote;
    for (const voter of voters) {
      if (voter === id) continue;
      const message = this.#common.message(type, voter);
      if (this.isPre) message.term = term + 1n;
      message.index = log.entries.lastIndex;
      message.logTerm = log.entries.lastTerm;
      if (isTransfer) message.context = TRANSFER_CONTEXT;
      if (this.isPre) outbox.send(message);
      else outbox.answerWhenDurable(message);
    }
  }
}
