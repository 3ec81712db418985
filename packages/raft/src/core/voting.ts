import { MessageType } from '@skep/wire/raftpb';
import type { Common } from './common.js';
import type { Message } from './contract.js';

/**
 * Answers MsgVote and MsgPreVote of this term (a pre-vote: of this or a later one). Returns whether a real vote was
 * given.
 */
export function answerVote(common: Common, message: Message): boolean {
  const { log, outbox, term, vote, leaderId } = common;
  const isPre = message.type === MessageType.MsgPreVote;
  const isFree =
    vote === message.from ||
    (vote === 0n && leaderId === 0n) ||
    (isPre && message.term > term) ||
    (!isPre && common.hasFault('vote-twice'));
  const isGranted = isFree && log.isUpToDate({ index: message.index, term: message.logTerm });
  const type = isPre ? MessageType.MsgPreVoteResp : MessageType.MsgVoteResp;
  const answer = common.message(type, message.from);
  answer.reject = !isGranted;
  if (isGranted) answer.term = message.term;
  if (isGranted && !isPre) common.vote = message.from;
  outbox.answerWhenDurable(answer);
  return isGranted && !isPre;
}

/**
 * Answers what comes from a former term. An old leader learns from the term that it leads no more, and one that asks
 * for a pre-vote that it is behind; nobody else needs to know.
 */
export function answerLowerTerm(common: Common, { type, from }: Message): void {
  if (type === MessageType.MsgApp || type === MessageType.MsgHeartbeat) {
    common.outbox.answerWhenDurable(common.message(MessageType.MsgAppResp, from));
  } else if (type === MessageType.MsgPreVote) {
    const answer = common.message(MessageType.MsgPreVoteResp, from);
    answer.reject = true;
    common.outbox.answerWhenDurable(answer);
  }
}
