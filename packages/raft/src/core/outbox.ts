import { MessageType } from '@skep/wire/raftpb';
import type { ConfirmedRead, Message } from './contract.js';
import { OUTBOX_ANSWERS_MAX } from './limits.js';

const EMPTY = new Uint8Array(0);

/** A message with nothing in it yet. */
export function emptyMessage(type: MessageType, from: bigint, to: bigint, term: bigint): Message {
  return {
    type,
    to,
    from,
    term,
    logTerm: 0n,
    index: 0n,
    entries: [],
    commit: 0n,
    snapshot: undefined,
    reject: false,
    rejectHint: 0n,
    context: EMPTY,
  };
}

/** What leaves a core with its next effects. */
export class Outbox {
  #messages: Message[] = [];
  #whenDurable: Message[] = [];
  #reads: ConfirmedRead[] = [];

  /** May leave at once. */
  send(message: Message): void {
    this.#messages.push(message);
  }

  /** May leave at once; when there are too many already it is lost. */
  answer(message: Message): void {
    if (this.#messages.length < OUTBOX_ANSWERS_MAX) this.#messages.push(message);
  }

  /**
   * Must not leave before all that led to it is durable; when there are too many already it is
   * lost.
   */
  answerWhenDurable(message: Message): void {
    if (this.#whenDurable.length < OUTBOX_ANSWERS_MAX) this.#whenDurable.push(message);
  }

  confirm(read: ConfirmedRead): void {
    this.#reads.push(read);
  }

  get isEmpty(): boolean {
    return (
      this.#messages.length === 0 && this.#whenDurable.length === 0 && this.#reads.length === 0
    );
  }

  take(): { messages: Message[]; messagesWhenDurable: Message[]; reads: ConfirmedRead[] } {
    const taken = {
      messages: this.#messages,
      messagesWhenDurable: this.#whenDurable,
      reads: this.#reads,
    };
    this.#messages = [];
    this.#whenDurable = [];
    this.#reads = [];
    return taken;
  }
}

/** Whether a message answers another; such are of no use from outside of the configuration. */
export function isAnswer(type: MessageType): boolean {
  switch (type) {
    case MessageType.MsgAppResp:
    case MessageType.MsgHeartbeatResp:
    case MessageType.MsgVoteResp:
    case MessageType.MsgPreVoteResp:
      return true;
    default:
      return false;
  }
}

/** Whether only a leader sends this. */
export function isFromLeader(type: MessageType): boolean {
  switch (type) {
    case MessageType.MsgApp:
    case MessageType.MsgHeartbeat:
    case MessageType.MsgSnap:
      return true;
    default:
      return false;
  }
}
