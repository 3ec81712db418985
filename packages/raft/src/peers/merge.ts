import { MessageType } from '@skep/wire/raftpb';
import type { Message } from '../core/contract.js';
import { MERGED_BYTES_MAX } from '../limits.js';
import { type LogEntry, largest } from '../log/entry.js';

const { MsgApp, MsgAppResp, MsgHeartbeat, MsgHeartbeatResp } = MessageType;

/**
 * One message that says what two to the same peer say, `earlier` still waiting when `later` is
 * queued; undefined where there is none. So what gathers behind a slow answer leaves as one.
 */
export function merge(earlier: Message, later: Message): Message | undefined {
  if (earlier.type !== later.type || earlier.term !== later.term) return undefined;
  switch (later.type) {
    case MsgHeartbeat:
    case MsgHeartbeatResp:
      // The context of the latest read confirms all reads before it; none confirms nothing.
      return later.context.length > 0 ? later : { ...later, context: earlier.context };
    case MsgApp:
      return mergeAppends(earlier, later);
    case MsgAppResp:
      if (earlier.reject || later.reject) return undefined;
      return later.index >= earlier.index ? later : earlier;
    default:
      return undefined;
  }
}

/** Appends that follow each other are one, within a size that a receiver takes. */
function mergeAppends(earlier: Message, later: Message): Message | undefined {
  const last = earlier.entries.at(-1) ?? { index: earlier.index, term: earlier.logTerm };
  if (later.index !== last.index || later.logTerm !== last.term) return undefined;
  const bytes = payloadBytes(earlier.entries) + payloadBytes(later.entries);
  if (bytes > MERGED_BYTES_MAX && later.entries.length > 0) return undefined;
  const commit = largest(earlier.commit, later.commit);
  return { ...later, ...start(earlier), entries: [...earlier.entries, ...later.entries], commit };
}

function start({ index, logTerm }: Message): Pick<Message, 'index' | 'logTerm'> {
  return { index, logTerm };
}

function payloadBytes(entries: readonly LogEntry[]): number {
  return entries.reduce((sum, { data }) => sum + data.length, 0);
}

/** Whether messages of this type may overtake others on their way to a peer. */
export function mayOvertake({ type }: Message): boolean {
  return type === MsgHeartbeat || type === MsgHeartbeatResp;
}
