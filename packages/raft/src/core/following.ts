import { MessageType } from '@skep/wire/raftpb';
import type { LogEntry } from '../log/entry.js';
import { smaller } from './bigints.js';
import type { Common } from './common.js';
import type { Message } from './contract.js';

/**
 * What a follower does with its leader's messages. Acknowledgements leave when what they tell of is
 * durable.
 */

export function handleAppend(common: Common, message: Message): void {
  const { log } = common;
  const { index, logTerm, entries, commit } = message;
  if (!areContiguous(message)) return;
  if (index < log.commit) {
    // What is committed never differs: told so, the leader goes on from there.
    acknowledge(common, message.from, log.commit);
  } else if (log.entries.termOf(index) !== logTerm) {
    refuse(common, message);
  } else {
    log.accept(entries);
    const last = index + BigInt(entries.length);
    log.commitTo(smaller(commit, last));
    acknowledge(common, message.from, last);
  }
}

/**
 * Whether entries follow each other as a leader of this term could have written them; damaged ones
 * are dropped.
 */
function areContiguous({ index, logTerm, term, entries }: Message): boolean {
  let expected = index;
  let lastTerm = logTerm;
  return entries.every((entry: LogEntry) => {
    expected++;
    const isNext = entry.index === expected && entry.term >= lastTerm && entry.term <= term;
    lastTerm = entry.term;
    return isNext;
  });
}

function acknowledge(common: Common, to: bigint, index: bigint): void {
  const answer = common.message(MessageType.MsgAppResp, to);
  answer.index = index;
  common.outbox.answerWhenDurable(answer);
}

/** Tells how far both logs may agree: whole terms are skipped at a time. */
function refuse(common: Common, { from, index, logTerm }: Message): void {
  const { entries } = common.log;
  const hint = entries.lastWithTermAtMost(index, logTerm);
  const answer = common.message(MessageType.MsgAppResp, from);
  answer.index = index;
  answer.reject = true;
  answer.rejectHint = hint;
  answer.logTerm = entries.termOf(hint) ?? 0n;
  common.outbox.answerWhenDurable(answer);
}

/**
 * Answered at once: that nothing newer than this term is known here needs no disk. A commit beyond
 * the own log is ignored, for the leader cannot mean this log.
 */
export function handleHeartbeat(common: Common, { from, commit, context }: Message): void {
  const { log } = common;
  if (commit <= log.entries.lastIndex) log.commitTo(commit);
  const answer = common.message(MessageType.MsgHeartbeatResp, from);
  answer.context = context;
  common.outbox.answer(answer);
}

/**
 * Taken even when this node is not among its voters: dockerd 20.10 sends the voters as of the
 * snapshot, and a joiner's own entry follows (wire-raft.md 3.6). Ignored when it tells nothing new.
 */
export function handleSnapshot(common: Common, { from, snapshot }: Message): void {
  const { log } = common;
  if (!snapshot) return;
  const takesAll = common.hasFault('take-old-snapshot');
  if (!takesAll && log.entries.termOf(snapshot.index) === snapshot.term) {
    log.commitTo(snapshot.index);
  } else if (takesAll || snapshot.index > log.commit) {
    log.restore(snapshot);
    common.voters = new Set(snapshot.voters);
  }
  acknowledge(common, from, log.commit);
}
