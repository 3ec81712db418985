import { MessageType } from '@skep/wire/raftpb';
import type { Common } from './common.js';
import type { Message } from './contract.js';

/**
 * Answers MsgVote and MsgPreVote of this term (a pre-vote: of this or a later one). Returns whether
 * a real vote was given.
 *
 * A rival, which itself asked for pre-votes within the last tick, refuses its pre-vote to those
 * that it outranks: of many that ask at once only those go on that outrank enough others, where
 * else all would stand and split the votes. A pre-vote promises nothing, so safety does not depend
 * on how it is answered (Ongaro's thesis 9.6). Nor does it keep a cluster without a leader: whoever
 * outranks all others in its reach is refused by none of them; and where that one cannot win, as it
 * does not reach a quorum, it is a rival for two ticks of each of its attempts, which soon are
 * electionTicks apart at least, while the others' attempts come at random times.
 */
export function answerVote(common: Common, message: Message, isRival: boolean): boolean {
  const { log, outbox, term, vote, leaderId } = common;
  const isPre = message.type === MessageType.MsgPreVote;
  const isFree =
    vote === message.from ||
    (vote === 0n && leaderId === 0n) ||
    (isPre && message.term > term) ||
    (!isPre && common.hasFault('vote-twice'));
  const isYielding = !(isPre && isRival && outranks(common, message));
  const isUpToDate = log.isUpToDate({ index: message.index, term: message.logTerm });
  const isGranted = isFree && isYielding && isUpToDate;
  const type = isPre ? MessageType.MsgPreVoteResp : MessageType.MsgVoteResp;
  const answer = common.message(type, message.from);
  answer.reject = !isGranted;
  if (isGranted) answer.term = message.term;
  if (isGranted && !isPre) common.vote = message.from;
  outbox.answerWhenDurable(answer);
  return isGranted && !isPre;
}

/** Whether this node has more of the log than the one that asks, or as much and a larger id. */
function outranks({ log, id }: Common, { from, index, logTerm }: Message): boolean {
  const { last } = log.entries;
  const isEqual = last.term === logTerm && last.index === index;
  return isEqual ? id > from : !log.isUpToDate({ index, term: logTerm });
}

/**
 * Answers what comes from a former term. An old leader learns from the term that it leads no more,
 * and one that asks for a pre-vote that it is behind; nobody else needs to know.
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
