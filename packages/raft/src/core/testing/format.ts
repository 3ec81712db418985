import { ConfChangeType, MessageType } from '@skep/wire/raftpb';
import { EntryType, type LogEntry } from '../../log/entry.js';
import type { CoreStatus, Effects, Message } from '../contract.js';
import type { RaftCore } from '../core.js';
import { roundOf } from '../reads.js';
import { decodeTestChange } from './node.js';

/** How scripts show what happens, one line each. */

/**
 * `index/term` and what is in it: `+4` and `-4` for changes of membership, nothing for empty ones.
 */
export function formatEntry({ index, term, type, data }: LogEntry): string {
  const at = `${index}/${term}`;
  if (type === EntryType.EntryConfChange) {
    const { type: change, nodeId } = decodeTestChange(data);
    return `${at} ${change === ConfChangeType.ConfChangeAddNode ? '+' : '-'}${nodeId}`;
  }
  return data.length === 0 ? at : `${at} ${Buffer.from(data)}`;
}

function formatEntries(entries: readonly LogEntry[]): string {
  return `[${entries.map(formatEntry).join(', ')}]`;
}

function formatContext(context: Uint8Array): string {
  if (context.length === 0) return '';
  const round = roundOf(context);
  return round > 0n ? ` round ${round}` : ` context ${Buffer.from(context)}`;
}

/** The fields that the type uses. */
function formatBody(message: Message): string {
  const { type, index, logTerm, entries, commit, snapshot, reject, rejectHint, context } = message;
  switch (type) {
    case MessageType.MsgApp:
      return `after ${index}/${logTerm} ${formatEntries(entries)} commit ${commit}`;
    case MessageType.MsgAppResp:
      return reject ? `refuses ${index}, hint ${rejectHint}/${logTerm}` : `up to ${index}`;
    case MessageType.MsgVote:
    case MessageType.MsgPreVote:
      return `last ${index}/${logTerm}${formatContext(context)}`;
    case MessageType.MsgVoteResp:
    case MessageType.MsgPreVoteResp:
      return reject ? 'no' : 'yes';
    case MessageType.MsgSnap:
      return `at ${snapshot?.index}/${snapshot?.term} voters ${snapshot?.voters.join(' ')}`;
    case MessageType.MsgHeartbeat:
      return `commit ${commit}${formatContext(context)}`;
    case MessageType.MsgHeartbeatResp:
      return formatContext(context).trim();
    case MessageType.MsgReadIndex:
      return `${Buffer.from(entries[0]!.data)}`;
    case MessageType.MsgReadIndexResp:
      return `${Buffer.from(entries[0]!.data)} at ${index}`;
    default:
      return '';
  }
}

export function formatMessage(message: Message): string {
  const { type, from, to, term } = message;
  const name = MessageType[type]?.slice('Msg'.length) ?? `type ${type}`;
  return `${from} -> ${to} ${name} term ${term} ${formatBody(message)}`.trimEnd();
}

/** What effects ask to be written; undefined for nothing. */
export function formatWrite({ hardState, entries, snapshot }: Effects): string | undefined {
  const parts: string[] = [];
  if (snapshot) parts.push(`snapshot ${snapshot.index}/${snapshot.term}`);
  if (hardState) {
    parts.push(`term ${hardState.term} vote ${hardState.vote} commit ${hardState.commit}`);
  }
  if (entries.length > 0) parts.push(formatEntries(entries));
  return parts.length > 0 ? parts.join(', ') : undefined;
}

export function formatRole({ role, term, leaderId }: CoreStatus): string {
  const follows = role === 'follower' && leaderId !== 0n ? ` of ${leaderId}` : '';
  return `${role}${follows} in term ${term}`;
}

/** Several lines: the node's state, and of a leader also what it knows of the others. */
export function formatStatus(id: bigint, { status, progress }: RaftCore): string[] {
  const { vote, commit, applied, last, voters, isReady, transferTo } = status;
  const flags = `${isReady ? ' ready' : ''}${transferTo === 0n ? '' : ` handing over to ${transferTo}`}`;
  const lines = [
    `${id} ${formatRole(status)}${flags}, vote ${vote}, commit ${commit}, applied ${applied}, ` +
      `last ${last.index}/${last.term}, voters ${[...voters].join(' ')}`,
  ];
  for (const [follower, { state, match, next, recentlyActive }] of progress) {
    const silent = recentlyActive ? '' : ' silent';
    lines.push(`  ${follower} ${state} match ${match} next ${next}${silent}`);
  }
  return lines;
}
